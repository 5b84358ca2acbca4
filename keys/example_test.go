package keys_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pysock/pysock/keys"
)

// identity stands for a key that was made once; a real one is random.
func identity(b byte) *keys.PrivateKey {
	k, err := keys.NewPrivateKey(bytes.Repeat([]byte{b}, keys.PrivateKeySize))
	if err != nil {
		panic(err)
	}
	return k
}

// Make a key file, and load it.
func Example() {
	folder, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "alice.yaml")

	f := &keys.File{Name: "alice", Private: identity(1)}
	if err := f.Create(path, nil); err != nil {
		fmt.Println(err)
		return
	}
	f, err = keys.Load(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Name, f.Public)
	fmt.Println(f.Public.Fingerprint())
	fmt.Println(f.Private)
	// Output:
	// alice pysock15nsf9y4k28p83wth93tf7hafhvfajp45d2mge80ems45gz0c5gysh7dglm
	// LKT3-W3JP-982W-WA44-JGLM
	// keys.PrivateKey(redacted)
}

// Remember a server, and notice that its key has changed.
func ExampleKnownServers() {
	folder, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)

	known, err := keys.OpenKnownServers(filepath.Join(folder, "known_servers"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(known.Remember("hub.example:7700", identity(3).Public()))
	err = known.Check("hub.example:7700", identity(4).Public())
	var changed *keys.ChangedKeyError
	fmt.Println(errors.As(err, &changed))
	// Output:
	// <nil>
	// true
}

// Let another client into a server.
func ExampleUpdate() {
	folder, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "hub.yaml")
	hub := &keys.File{Name: "hub", Private: identity(3), Clients: map[string]keys.PublicKey{"alice": identity(1).Public()}}
	if err := hub.Create(path, nil); err != nil {
		fmt.Println(err)
		return
	}

	err = keys.Update(path, nil, func(f *keys.File) error {
		f.Clients["bob"] = identity(2).Public()
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	hub, err = keys.Load(path)
	fmt.Println(len(hub.Clients), err)
	// Output: 2 <nil>
}

func ExampleSafetyNumber() {
	alice, bob := identity(1).Public(), identity(2).Public()
	fmt.Println(keys.SafetyNumber(alice, bob))
	fmt.Println(keys.SafetyNumber(bob, alice) == keys.SafetyNumber(alice, bob))
	// Output:
	// 97563 09555 00263 29782 65029 88610 77305 40517 61350 46249 44923 12357
	// true
}
