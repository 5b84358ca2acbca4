package policy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modulePath is what every import of our own starts with.
const modulePath = "github.com/pysock/pysock"

// files is a source tree in memory: slash-separated path from the module's root to content.
type files map[string]string

// tree is what a rule looks at. Sources are the Go files of this module, parsed;
// texts is everything that was read, other modules in the tree included.
type tree struct {
	sources []*source
	texts   files
	paths   []string // of all files, sorted, those included that were not read
}

// source is one parsed Go file.
type source struct {
	path string
	dir  string
	test bool
	text string
	fset *token.FileSet
	file *ast.File
}

// finding is one breach of a rule: where, as file:line, and what to do about it.
type finding struct {
	at  string
	say string
}

func (s *source) line(pos token.Pos) int { return s.fset.Position(pos).Line }

// found makes a finding at pos of s.
func (s *source) found(pos token.Pos, format string, args ...any) finding {
	return finding{fmt.Sprintf("%s:%d", s.path, s.line(pos)), fmt.Sprintf(format, args...)}
}

// newTree parses the Go files that belong to the root module. Files under
// testdata, dot folders and other modules stay texts only, as for the go command.
func newTree(all files) (*tree, error) {
	t := &tree{texts: all, paths: slices.Sorted(maps.Keys(all))}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if path.Ext(name) != ".go" || !inModule(all, name) {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, all[name], parser.ParseComments)
		if err != nil {
			return nil, err
		}
		t.sources = append(t.sources, &source{
			path: name,
			dir:  path.Dir(name),
			test: strings.HasSuffix(name, "_test.go"),
			text: all[name],
			fset: fset,
			file: file,
		})
	}
	return t, nil
}

func inModule(all files, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		base := path.Base(dir)
		if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
			return false
		}
		if _, other := all[dir+"/go.mod"]; other {
			return false
		}
	}
	return true
}

// packages groups the sources by folder; a folder's external test package belongs to it. The files of a folder need
// not be neighbours in t.sources: those of a folder in it may come between.
func (t *tree) packages() [][]*source {
	byDir := map[string][]*source{}
	for _, s := range t.sources {
		byDir[s.dir] = append(byDir[s.dir], s)
	}
	var out [][]*source
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		out = append(out, byDir[dir])
	}
	return out
}

// readModule reads the module that this test is part of.
func readModule(tb testing.TB) *tree {
	tb.Helper()
	root := filepath.Join("..", "..")
	all, others := files{}, []string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			hidden := strings.HasPrefix(d.Name(), ".") && rel != "." && rel != ".ci"
			if hidden || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && isText(rel) {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			all[rel] = string(data)
		} else {
			others = append(others, rel)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	t, err := newTree(all)
	if err != nil {
		tb.Fatal(err)
	}
	t.paths = append(t.paths, others...)
	slices.Sort(t.paths)
	return t
}

func isText(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".sh", ".mod":
		return true
	}
	return strings.HasPrefix(name, ".ci/")
}
