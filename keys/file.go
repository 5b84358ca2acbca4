package keys

import (
	"errors"
	"maps"

	"filippo.io/age"
)

// FileVersion is the version of key files that this package reads and writes.
const FileVersion = 1

// File is the content of a key file: an identity, and whom it knows. See
// [Load] and [File.Create].
type File struct {
	// Path is where the file was loaded from; it is not written.
	Path string

	// Version is [FileVersion], or 0 in a File that is to be written.
	Version int
	// Name is the name of this identity, valid by [CheckName].
	Name string
	// Public is the identity's public key. It may be left zero when Private is set
	// and the File is to be written.
	Public PublicKey
	// Private is nil if the file has no private key, or if it was loaded with
	// [LoadOptions.PublicOnly] and the private key is encrypted.
	Private *PrivateKey
	// Encrypted reports whether the private key is encrypted in the file. It is not
	// written: [WriteOptions] decide.
	Encrypted bool

	// Server is the server that a client connects to, nil if the file names none.
	Server *ServerRef
	// Peers maps the name of each peer whom a client opens pipes to, and accepts
	// them from, to its key.
	Peers map[string]PublicKey

	// Clients maps the name of each client who may enter a server to its key. Names
	// and keys each occur once.
	Clients map[string]PublicKey
	// Open says that a server lets in clients that it has no key of: open: true.
	Open bool
	// Listen is the address that a server listens on, HOST:PORT or :PORT, or "".
	Listen string
}

// LoadOptions say how to open an encrypted private key. The zero value opens none.
type LoadOptions struct {
	// Passphrase is asked for the passphrase of the file at path, at most once and
	// only if the file's private key is encrypted to one. The result is not kept.
	Passphrase func(path string) ([]byte, error)
	// Identities are tried on a private key encrypted to age recipients. Only
	// *[age.X25519Identity] and *[age.HybridIdentity] are taken: plugins run other
	// programs. See [LoadIdentities].
	Identities []age.Identity
	// PublicOnly leaves an encrypted private key as it is: Private is nil, and the
	// file must say its public key, which nothing then vouches for.
	PublicOnly bool
}

// Load reads the key file at path. It is [LoadWith] without a passphrase: if the
// private key is encrypted, the error wraps [ErrEncrypted].
func Load(path string) (*File, error) { return LoadWith(path, nil) }

// LoadWith reads the key file at path, which is a regular file of at most 1 MiB.
// Nil options are the same as none. Every error is a [*FileError]; it wraps what
// package os said (so [io/fs.ErrNotExist] can be told), or [ErrPermissions],
// [ErrEncrypted], [ErrPassphrase], [ErrInvalidKey] or a [*NameError].
//
// A file with a private key, encrypted or not, must be of a mode that lets nobody but
// its owner at it (no bit of 077), checked on the open file. The folder that it is
// in, and the one that a symbolic link to it is in, must not be writable by others
// unless it has the sticky bit, as /tmp has. A folder that a group can write is
// accepted: many systems give each user a group of their own. Windows has no such
// modes: there only the kind and the size of the file are checked, and whoever can
// read its folder can read it.
func LoadWith(path string, opts *LoadOptions) (*File, error) {
	d, _, err := loadDocument(path)
	if err != nil {
		return nil, err
	}
	return d.open(opts)
}

// Parse reads a key file's content. The name stands for the path in errors. It is
// [LoadWith] without everything that concerns the file system, and touches none.
func Parse(name string, data []byte, opts *LoadOptions) (*File, error) {
	d, err := parseDocument(name, data)
	if err != nil {
		return nil, err
	}
	return d.open(opts)
}

// open completes the document's File with its private key.
func (d *document) open(opts *LoadOptions) (*File, error) {
	if opts == nil {
		opts = &LoadOptions{}
	}
	f := d.file
	if f.Encrypted {
		if opts.PublicOnly && !f.Public.IsZero() {
			return f, nil
		}
		k, err := decryptPrivate(f.Path, d.private.Value, opts)
		if err != nil {
			return nil, d.wrap(d.private, err)
		}
		f.Private = k
	}
	switch {
	case f.Private == nil && f.Public.IsZero():
		return nil, d.errorf(d.root,
			"there is neither a public_key nor a private_key; make a key file with pysock-keygen")
	case f.Private == nil:
	case f.Public.IsZero():
		f.Public = f.Private.Public()
	case f.Public != f.Private.Public():
		return nil, d.wrap(d.public, errKeysDiffer)
	}
	return f, nil
}

var errKeysDiffer = errors.New("the public_key does not belong to the private_key; remove the line, or put the private key back that it belongs to")

// loadDocument reads and parses a file and checks who else can get at it.
func loadDocument(path string) (*document, *regularFile, error) {
	r, err := readRegular(path, "make a key file with pysock-keygen --name NAME -o FILE")
	if err != nil {
		return nil, nil, err
	}
	d, err := parseDocument(path, r.data)
	if err != nil {
		return nil, nil, err
	}
	if d.private != nil {
		if err := checkPrivate(path, r.info); err != nil {
			return nil, nil, err
		}
	}
	return d, r, nil
}

// clone returns a copy that shares no map, slice or pointer but that of the private
// key, which cannot change.
func (f *File) clone() *File {
	c := *f
	c.Peers, c.Clients = maps.Clone(f.Peers), maps.Clone(f.Clients)
	c.Server = f.Server.clone()
	return &c
}

// sameContent reports whether two Files are the same but for their private keys.
func (f *File) sameContent(g *File) bool {
	return f.Name == g.Name && f.Public == g.Public && f.Open == g.Open && f.Listen == g.Listen &&
		f.Server.same(g.Server) && maps.Equal(f.Peers, g.Peers) && maps.Equal(f.Clients, g.Clients)
}
