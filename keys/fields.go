package keys

import (
	"strconv"
	"strings"

	"filippo.io/age/armor"
	"gopkg.in/yaml.v3"
)

// fields has a reader for every field that a key file may have.
var fields = map[string]func(*document, *yaml.Node) error{
	"version":     (*document).readVersion,
	"name":        (*document).readName,
	"public_key":  (*document).readPublic,
	"private_key": (*document).readPrivate,
	"server":      (*document).readServer,
	"peers": func(d *document, n *yaml.Node) (err error) {
		d.file.Peers, err = d.readKeys(n, "peers")
		return err
	},
	"clients": func(d *document, n *yaml.Node) (err error) {
		d.file.Clients, err = d.readKeys(n, "clients")
		return err
	},
	"open":   (*document).readOpen,
	"listen": (*document).readListen,
}

func (d *document) readVersion(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		return d.errorf(n, "version has the wrong type: it should be the number %d", FileVersion)
	}
	if n.Value != strconv.Itoa(FileVersion) {
		return d.errorf(n, "version %s is not known here, only version %d; use a newer release, or make the file anew", quote(n.Value), FileVersion)
	}
	d.file.Version = FileVersion
	return nil
}

func (d *document) readName(n *yaml.Node) error {
	s, err := d.text(n, "name")
	if err != nil {
		return err
	}
	if err := CheckName(s); err != nil {
		return d.wrap(n, err)
	}
	d.file.Name = s
	return nil
}

func (d *document) readPublic(n *yaml.Node) error {
	k, err := d.readKey(n, "public_key")
	d.file.Public, d.public = k, n
	return err
}

func (d *document) readPrivate(n *yaml.Node) error {
	s, err := d.text(n, "private_key")
	if err != nil {
		return err
	}
	d.private = n
	if strings.HasPrefix(s, armor.Header) {
		d.file.Encrypted = true
		return nil
	}
	d.file.Private, err = ParsePrivateKey(s)
	if err != nil {
		return d.errorf(n, "private_key: %w", err)
	}
	return nil
}

// readKeys reads peers or clients. Two names for one key are refused: a peer is its
// key, and which of the names it has would be anybody's guess.
func (d *document) readKeys(n *yaml.Node, field string) (map[string]PublicKey, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil, d.checkPlain(n) // the field is there and all its lines are commented out
	}
	keys, names := map[string]PublicKey{}, map[PublicKey]string{}
	err := d.eachPair(n, field, func(k, v *yaml.Node) error {
		if err := CheckClientName(k.Value); err != nil {
			return d.wrap(k, err)
		}
		key, err := d.readKey(v, field+": "+quote(k.Value))
		if err != nil {
			return err
		}
		if other, ok := names[key]; ok {
			return d.errorf(k, "%s and %s in %s have the same key; each needs its own: remove one", quote(other),
				quote(k.Value), field)
		}
		keys[k.Value], names[key] = key, k.Value
		return nil
	})
	return keys, err
}

func (d *document) readKey(n *yaml.Node, what string) (PublicKey, error) {
	s, err := d.text(n, what)
	if err != nil {
		return PublicKey{}, err
	}
	k, err := ParsePublicKey(s)
	if err != nil {
		return PublicKey{}, d.errorf(n, "%s: %w", what, err)
	}
	return k, nil
}

func (d *document) readOpen(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		return d.errorf(n, "open has the wrong type: it should be true or false")
	}
	if err := n.Decode(&d.file.Open); err != nil {
		return d.errorf(n, "open should be true or false")
	}
	return nil
}

func (d *document) readListen(n *yaml.Node) error {
	s, err := d.text(n, "listen")
	if err != nil {
		return err
	}
	if err := checkAddress(s, false); err != nil {
		return d.wrap(n, err)
	}
	d.file.Listen = s
	return nil
}
