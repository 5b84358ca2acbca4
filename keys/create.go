package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"filippo.io/age"
	"gopkg.in/yaml.v3"
)

// WriteOptions say how a private key is written. The zero value writes it in clear,
// into a file that only its owner can read. At most one of Passphrase and Recipients
// may be set.
type WriteOptions struct {
	// Passphrase encrypts the private key with scrypt. It is only read.
	Passphrase []byte
	// Recipients encrypt the private key so that any of them can open it. Only
	// *[age.X25519Recipient] and *[age.HybridRecipient] are taken, and one kind at a
	// time. See [ParseRecipient].
	Recipients []age.Recipient
	// WorkFactor is the binary logarithm of scrypt's work factor, from 1 to the
	// constant [WorkFactor], which 0 stands for. Less than that is for tests.
	WorkFactor int
}

func (o *WriteOptions) encrypts() bool {
	return o != nil && (o.Passphrase != nil || o.Recipients != nil)
}

func (o *WriteOptions) recipients() ([]age.Recipient, error) {
	if o.Passphrase == nil {
		for _, r := range o.Recipients {
			switch r.(type) {
			case *age.X25519Recipient, *age.HybridRecipient:
			default:
				return nil, fmt.Errorf("age recipients of type %T are not supported, only X25519 and hybrid ones", r)
			}
		}
		return o.Recipients, nil
	}
	if o.Recipients != nil {
		return nil, errors.New("a private key is encrypted either to a passphrase or to age recipients, not to both")
	}
	r, err := age.NewScryptRecipient(string(o.Passphrase))
	if err != nil {
		return nil, errors.New("the passphrase is empty; give one with at least one character")
	}
	switch {
	case o.WorkFactor < 0 || o.WorkFactor > WorkFactor:
		return nil, fmt.Errorf("the work factor %d is not from 1 to %d", o.WorkFactor, WorkFactor)
	case o.WorkFactor > 0:
		r.SetWorkFactor(o.WorkFactor)
	}
	return []age.Recipient{r}, nil
}

// Create writes f to a new file of mode 0600 and waits until the disk has it. It
// never overwrites: if there is anything at path, even a link that leads nowhere,
// the error wraps [io/fs.ErrExist]. After any error there is no file that was not
// there before. Nil options are the same as none. f is not changed.
func (f *File) Create(path string, opts *WriteOptions) error {
	data, err := f.Encode(opts)
	if err != nil {
		return fmt.Errorf("%s: %w", displayPath(path), err)
	}
	err = createFile(path, data)
	if errors.Is(err, fs.ErrExist) {
		return &FileError{Path: path,
			Err: fmt.Errorf("%w and is never overwritten; move it away, or choose another path", fs.ErrExist)}
	}
	return err
}

// Encode returns the content of a key file, private key included, as [File.Create]
// would write it. What it returns [Parse] accepts; a File that could not be read
// back, because of its names, keys or addresses, is an error.
func (f *File) Encode(opts *WriteOptions) ([]byte, error) {
	if f.Version != 0 && f.Version != FileVersion {
		return nil, fmt.Errorf("version %d cannot be written, only %d", f.Version, FileVersion)
	}
	want := f.clone()
	if f.Private != nil && f.Public.IsZero() {
		want.Public = f.Private.Public()
	}
	if want.Public.IsZero() {
		return nil, errors.New("there is no key to write; generate one first")
	}
	if f.Private == nil && opts.encrypts() {
		return nil, errors.New("there is no private key to encrypt")
	}
	d := &document{name: "key file", root: &yaml.Node{Kind: yaml.MappingNode}, file: &File{}}
	d.doc = &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{d.root}}
	d.set("version", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(FileVersion)})
	if err := d.apply(want, opts); err != nil {
		return nil, err
	}
	comment := "PySock key file. Others may have the public key; its fingerprint is " + want.Public.Fingerprint() + "."
	if f.Private != nil {
		comment += "\nWhoever has the private key can act under this name: keep this file to yourself."
	}
	d.root.Content[0].HeadComment = comment
	return d.encode(want)
}

// encode returns the text of the tree, having made sure that it reads as want does:
// a name that YAML or we would read differently must not reach a file.
func (d *document) encode(want *File) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(d.doc), enc.Close()); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	got, err := Parse(d.name, out.Bytes(), &LoadOptions{PublicOnly: true})
	if err != nil {
		var fe *FileError
		if errors.As(err, &fe) {
			err = fe.Err // the line is one of a file that will not exist
		}
		return nil, err
	}
	if !got.sameContent(want) {
		return nil, errors.New("what was written does not read the same; the file is left as it was")
	}
	return out.Bytes(), nil
}
