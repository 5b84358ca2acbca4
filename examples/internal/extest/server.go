package extest

import (
	"testing"

	"github.com/pysock/pysock/keys"
)

// Serve starts an example that is a server, in a folder with its server.yaml, and waits until it
// prints where it listens. It returns another folder with the key files of its clients, who are all
// each other's peers.
func Serve(t testing.TB, clients []string, args ...string) (srv *Process, dir string) {
	t.Helper()
	hub := newKey(t, keys.ServerName)
	hub.Listen, hub.Clients = "127.0.0.1:0", map[string]keys.PublicKey{}
	files := map[string]*keys.File{}
	for _, name := range clients {
		files[name] = newKey(t, name)
		hub.Clients[name] = files[name].Public
	}
	srv = Start(t, Files(t, map[string]*keys.File{"server": hub}), args...)
	address := srv.After("listening on ")
	for name, f := range files {
		f.Server, f.Peers = &keys.ServerRef{Address: address, Key: hub.Public}, map[string]keys.PublicKey{}
		for peer, other := range files {
			if peer != name {
				f.Peers[peer] = other.Public
			}
		}
	}
	return srv, Files(t, files)
}

func newKey(t testing.TB, name string) *keys.File {
	t.Helper()
	key, err := keys.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return &keys.File{Name: name, Public: key.Public(), Private: key}
}
