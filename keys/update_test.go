package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestCreate(t *testing.T) {
	f := &File{
		Name: "yes", Private: fixed(t, 1), Open: true, Listen: ":0",
		Server:  &ServerRef{Address: "[::1]:7700", Also: []string{"null:1", "[::2]:7700"}, Key: public(t, hubPublic)},
		Peers:   map[string]PublicKey{"42": public(t, bobPublic), "null": public(t, hubPublic), "#x": public(t, alicePublic)},
		Clients: map[string]PublicKey{"&x": public(t, bobPublic), "-": public(t, hubPublic), "=": public(t, alicePublic)},
	}
	path := filepath.Join(t.TempDir(), "yes.yaml")
	require.NoError(t, f.Create(path, nil))
	assert.True(t, f.Public.IsZero(), "Create does not change its receiver")
	got, err := Load(path)
	require.NoError(t, err)
	f.Public = public(t, alicePublic)
	assert.True(t, f.sameContent(got), "%+v", got)
	assert.Equal(t, aliceSecret, got.Private.Secret())

	before := read(t, path)
	err = f.Create(path, nil)
	require.ErrorIs(t, err, fs.ErrExist)
	assert.Equal(t, before, read(t, path))
	assert.ErrorIs(t, f.Create(filepath.Join(t.TempDir(), "none", "x.yaml"), nil), fs.ErrNotExist)
}

func TestCreateRefuses(t *testing.T) {
	bob := public(t, bobPublic)
	for name, f := range map[string]*File{
		"no key":          {Name: "alice"},
		"no name":         {Private: fixed(t, 1)},
		"bad name":        {Name: "a b", Private: fixed(t, 1)},
		"version":         {Version: 2, Name: "alice", Private: fixed(t, 1)},
		"keys differ":     {Name: "alice", Private: fixed(t, 1), Public: bob},
		"client server":   {Name: "hub", Private: fixed(t, 1), Clients: map[string]PublicKey{"server": bob}},
		"same key twice":  {Name: "hub", Private: fixed(t, 1), Clients: map[string]PublicKey{"a": bob, "b": bob}},
		"zero key":        {Name: "hub", Private: fixed(t, 1), Clients: map[string]PublicKey{"a": {}}},
		"name that hides": {Name: "hub", Private: fixed(t, 1), Peers: map[string]PublicKey{"a: b": bob}},
		"no address":      {Name: "alice", Private: fixed(t, 1), Server: &ServerRef{Key: bob}},
		"address twice":   {Name: "alice", Private: fixed(t, 1), Server: &ServerRef{Address: "h:1", Also: []string{"H.:1"}, Key: bob}},
		"also":            {Name: "alice", Private: fixed(t, 1), Server: &ServerRef{Address: "h:1", Also: []string{"h"}, Key: bob}},
		"many addresses": {Name: "alice", Private: fixed(t, 1),
			Server: &ServerRef{Address: "h:100", Also: manyAddresses(MaxAlso + 1)}},
		"listen": {Name: "alice", Private: fixed(t, 1), Listen: "x"},
	} {
		path := filepath.Join(t.TempDir(), "x.yaml")
		for _, o := range []*WriteOptions{nil, {Passphrase: []byte("x"), WorkFactor: 1}} {
			err := f.Create(path, o)
			require.Error(t, err, name)
			assert.NotContains(t, err.Error(), "\n")
			assert.NoFileExists(t, path)
		}
	}
}

// TestUpdateKeeps changes the peers of a file with comments, and compares all of it.
func TestUpdateKeeps(t *testing.T) {
	path := place(t, "client.yaml")
	before := read(t, path)
	require.NoError(t, Update(path, nil, func(f *File) error {
		f.Peers["carol"] = public(t, hubPublic)
		return nil
	}))
	// Blank lines and the spaces before comments are the YAML writer's.
	want := strings.NewReplacer("\n\n", "\n", "            #", " #", "   #", " #").Replace(before)
	want = strings.Replace(want, "# People that", "\n# People that", 1) + "  carol: " + hubPublic + "\n"
	assert.Equal(t, squeeze(want), squeeze(read(t, path)))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, left, 1, "the lock or a temporary file is left")
}

func squeeze(s string) []string {
	lines := strings.Split(s, "\n")
	var kept []string
	for _, l := range lines {
		if l != "" {
			kept = append(kept, l)
		}
	}
	return kept
}

func TestUpdateEveryField(t *testing.T) {
	path := place(t, "client.yaml")
	alice, bob, hub := public(t, alicePublic), public(t, bobPublic), public(t, hubPublic)
	steps := []func(*File){
		func(f *File) { f.Name = "alicia" },
		func(f *File) { f.Server.Address = "other.example:1" },
		func(f *File) { f.Server.Also = []string{"h:2", "[::1]:7700"} },
		func(f *File) { f.Server.Key = PublicKey{} },
		func(f *File) { f.Server.Also[1] = "h:3" },
		func(f *File) { f.Server.Also = nil },
		func(f *File) { f.Server.Key = hub },
		func(f *File) { f.Server = nil },
		func(f *File) { f.Server = &ServerRef{Address: "h:1", Also: manyAddresses(MaxAlso)} },
		func(f *File) { f.Peers["bob"] = hub },
		func(f *File) { delete(f.Peers, "bob") },
		func(f *File) { f.Peers = map[string]PublicKey{"zoe": bob, "ann": hub} },
		func(f *File) { f.Clients = map[string]PublicKey{"alice": alice, "bob": bob} },
		func(f *File) { f.Clients = nil },
		func(f *File) { f.Open = true },
		func(f *File) { f.Open = false },
		func(f *File) { f.Listen = ":1" },
		func(f *File) { f.Listen = ":2" },
		func(f *File) { f.Listen = "" },
	}
	for i, step := range steps {
		var want *File
		require.NoError(t, Update(path, nil, func(f *File) error {
			step(f)
			want = f.clone()
			return nil
		}), "%d", i)
		got, err := Load(path)
		require.NoError(t, err, "%d", i)
		assert.True(t, want.sameContent(got), "%d: %s", i, read(t, path))
		assert.Equal(t, aliceSecret, got.Private.Secret())
		assert.Contains(t, read(t, path), "# Alice's key file.")
	}
}

func manyAddresses(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("h:%d", 200+i))
	}
	return all
}

// TestUpdateAddresses has each further address keep what is said about it.
func TestUpdateAddresses(t *testing.T) {
	path := place(t, "client-addresses.yaml")
	require.NoError(t, Update(path, nil, func(f *File) error { f.Server.Address = "new.example:7700"; return nil }))
	for _, line := range []string{"  also: # the same server", "- hub2.example:7700 # the other line",
		"- hub.example:443 # where nothing"} {
		assert.Contains(t, read(t, path), line)
	}
	require.NoError(t, Update(path, nil, func(f *File) error {
		f.Server.Also = []string{"hub.example:443", "hub3.example:7700", "hub2.example:7700"}
		return nil
	}))
	assert.Contains(t, read(t, path), `
    - hub.example:443 # where nothing else is let out
    - hub3.example:7700
    - hub2.example:7700 # the other line
`)
	f, err := Load(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"hub.example:443", "hub3.example:7700", "hub2.example:7700"}, f.Server.Also)

	// What change does with its copy is not seen where nothing is to be written.
	before := read(t, path)
	failed := errors.New("failed")
	require.ErrorIs(t, Update(path, nil, func(f *File) error { f.Server.Also[0] = "x:1"; return failed }), failed)
	assert.Equal(t, before, read(t, path))

	// Nothing in the list, and no list.
	for _, also := range []string{"[]", "", "null"} {
		path := write(t, "version: 1\nname: alice\nprivate_key: "+aliceSecret+"\nserver:\n  address: h:1\n  also: "+also+"\n")
		f, err := Load(path)
		require.NoError(t, err)
		assert.Empty(t, f.Server.Also)
		require.NoError(t, Update(path, nil, func(f *File) error { f.Server.Also = []string{"h:2"}; return nil }))
		f, err = Load(path)
		require.NoError(t, err)
		assert.Equal(t, []string{"h:2"}, f.Server.Also)
	}
}

func TestUpdateFlowAndNull(t *testing.T) {
	path := place(t, "server.yaml")
	require.NoError(t, Update(path, nil, func(f *File) error { f.Clients["carol"] = public(t, hubPublic); return nil }))
	assert.Contains(t, read(t, path), "clients: {alice: "+alicePublic+", bob: "+bobPublic+", carol: "+hubPublic+"}")
	path = place(t, "open-server.yaml")
	require.NoError(t, Update(path, nil, func(f *File) error {
		f.Clients = map[string]PublicKey{"bob": public(t, bobPublic)}
		return nil
	}))
	f, err := Load(path)
	require.NoError(t, err)
	assert.Len(t, f.Clients, 1)
}

func TestUpdateChangesNothing(t *testing.T) {
	path := place(t, "client.yaml")
	before := read(t, path)
	failed := errors.New("failed")
	require.ErrorIs(t, Update(path, nil, func(f *File) error { f.Name = "x"; return failed }), failed)
	require.NoError(t, Update(path, nil, func(f *File) error { return nil }))
	require.Error(t, Update(path, nil, func(f *File) error { f.Name = "a b"; return nil }))
	require.Error(t, Update(path, nil, func(f *File) error { f.Public = public(t, bobPublic); return nil }))
	assert.Equal(t, before, read(t, path))
	require.ErrorIs(t, Update(filepath.Join(t.TempDir(), "none"), nil, nil), fs.ErrNotExist)
	require.Error(t, Update(filepath.Join(t.TempDir(), "no", "folder"), nil, nil))
	require.Error(t, Update(write(t, "x"), nil, nil))
}

func TestUpdateEncrypted(t *testing.T) {
	path := place(t, "encrypted-passphrase.yaml")
	armored := read(t, path)
	armored = armored[strings.Index(armored, "private_key:"):]
	require.NoError(t, Update(path, nil, func(f *File) error {
		assert.Nil(t, f.Private)
		assert.True(t, f.Encrypted)
		f.Peers = map[string]PublicKey{"bob": public(t, bobPublic)}
		return nil
	}))
	assert.Contains(t, read(t, path), armored)

	newKey := func(f *File) error { f.Private = fixed(t, 2); return nil }
	require.ErrorContains(t, Update(path, nil, newKey), "is encrypted, and the new one would not be")
	require.NoError(t, Update(path, &WriteOptions{Passphrase: []byte("new"), WorkFactor: 2}, newKey))
	f, err := LoadWith(path, &LoadOptions{Passphrase: func(string) ([]byte, error) { return []byte("new"), nil }})
	require.NoError(t, err)
	assert.Equal(t, bobPublic, f.Public.String())

	noPublic := write(t, strings.Replace(read(t, path), "public_key: "+bobPublic+"\n", "", 1))
	require.ErrorIs(t, Update(noPublic, nil, newKey), ErrEncrypted)

	plain := place(t, "client.yaml")
	require.NoError(t, Update(plain, nil, newKey))
	f, err = Load(plain)
	require.NoError(t, err)
	assert.Equal(t, bobPublic, f.Public.String())
	require.NoError(t, Update(plain, nil, func(f *File) error { f.Private = nil; return nil }))
	assert.NotContains(t, read(t, plain), secretPrefix)
}

func TestUpdatesWait(t *testing.T) {
	path := place(t, "minimal.yaml")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			k := fixed(t, byte(10+i)).Public()
			assert.NoError(t, Update(path, nil, func(f *File) error {
				if f.Peers == nil {
					f.Peers = map[string]PublicKey{}
				}
				f.Peers["peer-"+string(rune('a'+i))] = k
				return nil
			}))
		})
	}
	all.Wait()
	f, err := Load(path)
	require.NoError(t, err)
	assert.Len(t, f.Peers, 8)
}
