package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/pysock/pysock/keys"
)

// server says whether the server is meant, and not a peer or client.
func (o *trustArgs) server() bool { return o.name == keys.ServerName }

// changeServer adds the server's key to a client's file, or removes it. whose list the file has says what file it is.
func (o *trustArgs) changeServer(f *keys.File, whose string) (string, error) {
	if whose != "peer" {
		return "", fmt.Errorf("%s is a server's key file: only a client's has the key of its server",
			strconv.Quote(o.path))
	}
	if o.action == "remove" {
		return o.removeServer(f)
	}
	return o.addServer(f)
}

func (o *trustArgs) addServer(f *keys.File) (string, error) {
	ref := &keys.ServerRef{}
	if f.Server != nil {
		*ref = *f.Server
	}
	old := ref.Key
	switch {
	case ref.Address == "" && o.address == "":
		return "", fmt.Errorf("%s does not say where the server is: add --address HOST:PORT", strconv.Quote(o.path))
	case o.key == f.Public:
		return "", fmt.Errorf("this is the key of %s itself; give the server's", strconv.Quote(o.path))
	case !old.IsZero() && old != o.key && !o.replace:
		return "", fmt.Errorf("the server has another key: %s, not %s; ask its operator for the fingerprint, and only if it is the second one, add --replace",
			old.Fingerprint(), o.key.Fingerprint())
	}
	ref.Key = o.key
	if o.address != "" {
		ref.Address = o.address
		ref.Also = slices.DeleteFunc(slices.Clone(ref.Also), o.sameAddress) // which had it as another one
	}
	f.Server = ref
	at := fmt.Sprintf("the server at %q", ref.Address)
	switch {
	case old == o.key:
		return fmt.Sprintf("%s was trusted already: %s", at, o.key.Fingerprint()), nil
	case !old.IsZero():
		return fmt.Sprintf("%s now has the key %s in place of %s", at, o.key.Fingerprint(), old.Fingerprint()), nil
	}
	return fmt.Sprintf("%s is trusted: %s; compare the fingerprint with its operator", at, o.key.Fingerprint()), nil
}

// sameAddress reports whether an address is the one that was given.
func (o *trustArgs) sameAddress(address string) bool {
	given, err := keys.NormalizeAddress(o.address)
	other, otherErr := keys.NormalizeAddress(address)
	return err == nil && otherErr == nil && given == other
}

// removeServer forgets the server's key. Where the server is stays.
func (o *trustArgs) removeServer(f *keys.File) (string, error) {
	if f.Server == nil || f.Server.Key.IsZero() {
		return "", fmt.Errorf("%s has no key of the server", strconv.Quote(o.path))
	}
	key := f.Server.Key
	f.Server.Key = keys.PublicKey{}
	return fmt.Sprintf("the server at %q is not trusted any more: %s", f.Server.Address, key.Fingerprint()), nil
}
