package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// document is a parsed key file: the tree of the YAML, which [Update] edits, and
// what it says. The tree is walked here and not decoded into a struct, because every
// error then knows its line, and aliases, duplicates and types are refused at once.
type document struct {
	name    string
	doc     *yaml.Node // the document node, with the comments
	root    *yaml.Node // its mapping
	public  *yaml.Node // value of public_key, or nil
	private *yaml.Node // value of private_key, or nil
	file    *File
}

func (d *document) wrap(n *yaml.Node, err error) error {
	return &FileError{Path: d.name, Line: n.Line, Err: err}
}

func (d *document) errorf(n *yaml.Node, format string, args ...any) error {
	return d.wrap(n, fmt.Errorf(format, args...))
}

// parseDocument reads everything but an encrypted private key.
func parseDocument(name string, data []byte) (*document, error) {
	d := &document{name: name, file: &File{Path: name}}
	if err := d.parseYAML(data); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	err := d.eachPair(d.root, "the file", func(k, v *yaml.Node) error {
		read := fields[k.Value]
		if read == nil {
			return d.errorf(k, "unknown field %s; remove it, or correct its spelling", quote(k.Value))
		}
		seen[k.Value] = true
		return read(d, v)
	})
	if err != nil {
		return nil, err
	}
	if !seen["version"] {
		return nil, d.errorf(d.root, "the version is missing; add the line version: %d", FileVersion)
	}
	if !seen["name"] {
		return nil, d.errorf(d.root, "the name is missing; add the line name: NAME")
	}
	return d, nil
}

// parseYAML reads data as one YAML document that is a mapping.
func (d *document) parseYAML(data []byte) error {
	fail := func(line int, format string, args ...any) error {
		return &FileError{Path: d.name, Line: line, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case len(data) > maxFile:
		return fail(0, "%w", errTooLarge)
	case !utf8.Valid(data):
		return fail(0, "this is not a key file: it is not UTF-8 text; make one with pysock-keygen")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	d.doc = new(yaml.Node)
	if err := dec.Decode(d.doc); errors.Is(err, io.EOF) {
		return fail(0, "the file is empty; make a key file with pysock-keygen")
	} else if err != nil {
		return d.syntaxError(err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return fail(second.Line, "a second YAML document starts here; a key file has one: remove everything from this line on")
	} else if !errors.Is(err, io.EOF) {
		return d.syntaxError(err)
	}
	d.root = d.doc.Content[0]
	if d.root.Kind != yaml.MappingNode {
		return d.errorf(d.root, "this is not a key file: it should have lines like name: NAME; make one with pysock-keygen")
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntaxError gives the error of the YAML parser our form. That parser says the line
// only in its text; nothing depends on it but what is shown.
func (d *document) syntaxError(err error) error {
	line, text := 1, "it cannot be read"
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		text = m[2]
	}
	return &FileError{Path: d.name, Line: line, Err: fmt.Errorf("this is not valid YAML near here: %s; correct it",
		quote(text))}
}

// eachPair calls visit for the pairs of a mapping, having refused keys that are not
// plain text or occur twice.
func (d *document) eachPair(n *yaml.Node, what string, visit func(k, v *yaml.Node) error) error {
	if err := d.checkPlain(n); err != nil {
		return err
	}
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		return d.errorf(n, "%s has the wrong type: it should be a list of lines NAME: VALUE", what)
	}
	lines := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if err := d.checkPlain(k); err != nil {
			return err
		}
		if err := d.checkPlain(v); err != nil {
			return err
		}
		if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" {
			return d.errorf(k, "in %s, what is before the colon must be text; put it in quotes", what)
		}
		if first, ok := lines[k.Value]; ok {
			return d.errorf(k, "%s occurs twice, first in line %d; remove one", quote(k.Value), first)
		}
		lines[k.Value] = k.Line
		if err := visit(k, v); err != nil {
			return err
		}
	}
	return nil
}

// checkPlain refuses what makes one place of the file mean something in another.
func (d *document) checkPlain(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return d.errorf(n, "anchors and aliases (& and *) are not allowed; write the value out, or put it in quotes")
	}
	return nil
}

// text returns the value of a scalar that is text, not a number or nothing.
func (d *document) text(n *yaml.Node, field string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return "", d.errorf(n, "%s has the wrong type: it should be text; put it in quotes if it looks like something else", field)
	}
	return n.Value, nil
}
