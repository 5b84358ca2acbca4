package keys

import (
	"slices"

	"gopkg.in/yaml.v3"
)

// MaxAlso is how many addresses a [ServerRef] may have besides its first.
const MaxAlso = 16

// ServerRef says where a client's server is and who it is.
type ServerRef struct {
	// Address is HOST:PORT.
	Address string
	// Also are more addresses HOST:PORT at which the same server, with the same key,
	// is reached: at most [MaxAlso], in the order in which they are tried after Address.
	// No two, Address among them, have the same form by [NormalizeAddress].
	Also []string
	// Key is the server's key, or zero: then it is learnt on first use.
	Key PublicKey
}

// clone returns a copy that shares nothing; of nil it is nil.
func (r *ServerRef) clone() *ServerRef {
	if r == nil {
		return nil
	}
	c := *r
	c.Also = slices.Clone(r.Also)
	return &c
}

// same reports whether two references, each of which may be nil, say the same.
func (r *ServerRef) same(other *ServerRef) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Address == other.Address && r.Key == other.Key && slices.Equal(r.Also, other.Also)
}

func (d *document) readServer(n *yaml.Node) error {
	server := &ServerRef{}
	var also *yaml.Node
	err := d.eachPair(n, "server", func(k, v *yaml.Node) (err error) {
		switch k.Value {
		case "address":
			server.Address, err = d.readAddress(v, "address")
		case "also":
			also = v // read when address is known, wherever that stands
		case "key":
			server.Key, err = d.readKey(v, "key")
		default:
			err = d.errorf(k, "unknown field %s in server; it has address, also and key", quote(k.Value))
		}
		return err
	})
	if err != nil {
		return err
	}
	if server.Address == "" {
		return d.errorf(n, "server has no address; add address: HOST:PORT to it")
	}
	if also != nil {
		if server.Also, err = d.readAlso(also, server.Address); err != nil {
			return err
		}
	}
	d.file.Server = server
	return nil
}

// readAlso reads the further addresses of the server whose first one is given. One that
// occurs twice is refused: it was most likely to be another.
func (d *document) readAlso(n *yaml.Node, first string) ([]string, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil, nil // the field is there and all its lines are commented out
	}
	if n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq" {
		return nil, d.errorf(n, "also has the wrong type: it should be a list of addresses, as in [hub2.example:7700]")
	}
	if len(n.Content) > MaxAlso {
		return nil, d.errorf(n.Content[MaxAlso], "also has more than %d addresses; remove some", MaxAlso)
	}
	var addresses []string
	normal, err := NormalizeAddress(first)
	if err != nil {
		return nil, d.wrap(n, err)
	}
	seen := map[string]string{normal: first}
	for _, v := range n.Content {
		if err := d.checkPlain(v); err != nil {
			return nil, err
		}
		address, err := d.readAddress(v, "an address in also")
		if err != nil {
			return nil, err
		}
		if normal, err = NormalizeAddress(address); err != nil {
			return nil, d.wrap(v, err)
		}
		if other, ok := seen[normal]; ok {
			return nil, d.errorf(v, "the addresses %s and %s of the server are the same; remove one", quote(other),
				quote(address))
		}
		seen[normal] = address
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// readAddress reads an address that one connects to.
func (d *document) readAddress(n *yaml.Node, what string) (string, error) {
	s, err := d.text(n, what)
	if err != nil {
		return "", err
	}
	if err := checkAddress(s, true); err != nil {
		return "", d.wrap(n, err)
	}
	return s, nil
}

func (d *document) applyServer(want *ServerRef) {
	have := d.file.Server
	switch {
	case want.same(have):
		return
	case want == nil:
		remove(d.root, "server")
		return
	case have == nil:
		have = &ServerRef{}
		d.set("server", &yaml.Node{Kind: yaml.MappingNode})
	}
	server := lookup(d.root, "server")
	if want.Address != have.Address {
		set(server, "address", textNode(want.Address))
	}
	applyAlso(server, have.Also, want.Also)
	switch {
	case want.Key == have.Key:
	case want.Key.IsZero():
		remove(server, "key")
	default:
		set(server, "key", textNode(want.Key.String()))
	}
}

// applyAlso makes the list of further addresses the same as want. An address that
// stays keeps its comments, wherever it goes.
func applyAlso(server *yaml.Node, have, want []string) {
	if slices.Equal(have, want) {
		return
	}
	if len(want) == 0 {
		remove(server, "also")
		return
	}
	list := lookup(server, "also")
	if list == nil || list.Kind != yaml.SequenceNode {
		set(server, "also", &yaml.Node{Kind: yaml.SequenceNode})
		list = lookup(server, "also")
	}
	items := make([]*yaml.Node, 0, len(want))
	for _, address := range want {
		if i := slices.Index(have, address); i >= 0 {
			items = append(items, list.Content[i])
		} else {
			items = append(items, textNode(address))
		}
	}
	list.Content = items
}
