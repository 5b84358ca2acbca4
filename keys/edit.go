package keys

import (
	"maps"
	"slices"

	"gopkg.in/yaml.v3"
)

// apply changes the tree so that it says what want says. It touches only what
// differs from d.file, and so keeps comments, order and style of all the rest.
func (d *document) apply(want *File, opts *WriteOptions) error {
	have := d.file
	if want.Private != nil && want.Public != want.Private.Public() {
		return errKeysDiffer
	}
	if want.Name != have.Name {
		d.setText("name", want.Name)
	}
	if want.Public != have.Public {
		d.setText("public_key", want.Public.String())
	}
	if want.Private != have.Private {
		if err := d.applyPrivate(want.Private, opts); err != nil {
			return err
		}
	}
	d.applyServer(want.Server)
	d.applyKeys("peers", have.Peers, want.Peers)
	d.applyKeys("clients", have.Clients, want.Clients)
	if want.Open != have.Open {
		d.set("open", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool",
			Value: map[bool]string{true: "true", false: "false"}[want.Open]})
	}
	switch {
	case want.Listen == have.Listen:
	case want.Listen == "":
		remove(d.root, "listen")
	default:
		d.setText("listen", want.Listen)
	}
	return nil
}

func (d *document) applyPrivate(k *PrivateKey, opts *WriteOptions) error {
	if k == nil {
		remove(d.root, "private_key")
		return nil
	}
	text := k.Secret()
	if opts.encrypts() {
		var err error
		if text, err = sealPrivate(k, opts); err != nil {
			return err
		}
	}
	d.setText("private_key", text)
	return nil
}

// applyKeys makes the mapping under a field the same as want. New names go to its
// end, sorted.
func (d *document) applyKeys(field string, have, want map[string]PublicKey) {
	if maps.Equal(have, want) {
		return
	}
	list := lookup(d.root, field)
	if list == nil || list.Kind != yaml.MappingNode {
		d.set(field, &yaml.Node{Kind: yaml.MappingNode})
		list = lookup(d.root, field)
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			remove(list, name)
		}
	}
	if len(list.Content) == 0 {
		list.Style &^= yaml.FlowStyle // what was {} becomes a list of lines
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] != have[name] {
			set(list, name, textNode(want[name].String()))
		}
	}
}

func (d *document) set(field string, v *yaml.Node) { set(d.root, field, v) }

func (d *document) setText(field, text string) { set(d.root, field, textNode(text)) }

func textNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s) // chooses the literal style for several lines
	return n
}

// lookup returns the value of a key in a mapping, or nil.
func lookup(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// set gives a key of a mapping another value, whose comments it keeps, or adds it at
// the end.
func set(m *yaml.Node, key string, v *yaml.Node) {
	old := lookup(m, key)
	if old == nil {
		m.Content = append(m.Content, textNode(key), v)
		return
	}
	v.HeadComment, v.LineComment, v.FootComment = old.HeadComment, old.LineComment, old.FootComment
	*old = *v
}

// remove takes a key and its value, with their comments, out of a mapping.
func remove(m *yaml.Node, key string) {
	for i := 0; i < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content = slices.Delete(m.Content, i, i+2)
			return
		}
	}
}
