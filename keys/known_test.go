package keys

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKnownServers(t *testing.T) {
	alice, bob := public(t, alicePublic), public(t, bobPublic)
	path := filepath.Join(t.TempDir(), "made", "on demand", "known_servers")
	s, err := OpenKnownServers(path)
	require.NoError(t, err)
	assert.Equal(t, path, s.Path())
	_, ok, err := s.Lookup("hub.example:7700")
	require.NoError(t, err)
	assert.False(t, ok)
	require.NoError(t, s.Check("hub.example:7700", alice), "nobody is known yet")
	assert.NoFileExists(t, path)
	require.ErrorIs(t, s.Forget("hub.example:7700"), ErrNotKnown)

	require.NoError(t, s.Remember("Hub.Example:7700", alice))
	require.NoError(t, s.Remember("hub.example:7700", alice))
	assert.Equal(t, "hub.example:7700 "+alicePublic+"\n", read(t, path))
	k, ok, err := s.Lookup("hub.example.:7700")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, alice, k)
	require.NoError(t, s.Check("hub.example:7700", alice))

	for _, err := range []error{s.Check("HUB.example:7700", bob), s.Remember("hub.example:7700", bob)} {
		var changed *ChangedKeyError
		require.ErrorAs(t, err, &changed)
		assert.Equal(t, ChangedKeyError{"server", "hub.example:7700", alice, bob, path, 1}, *changed)
	}
	assert.Equal(t, "hub.example:7700 "+alicePublic+"\n", read(t, path), "a refused change changes nothing")

	require.NoError(t, s.Remember("other:1", bob))
	list, err := s.All()
	require.NoError(t, err)
	assert.Equal(t, []Known{{"hub.example:7700", alice, 1}, {"other:1", bob, 2}}, list)
	require.NoError(t, s.Forget("hub.example:7700"))
	require.NoError(t, s.Remember("hub.example:7700", bob))
	assert.Equal(t, "other:1 "+bobPublic+"\nhub.example:7700 "+bobPublic+"\n", read(t, path))
	require.ErrorIs(t, s.Remember("x:1", PublicKey{}), ErrInvalidKey)

	_, _, err = s.Lookup("no port")
	assert.Error(t, err)
	assert.Error(t, s.Check("no port", bob))
	assert.Error(t, s.Remember("no port", bob))
	assert.Error(t, s.Forget("no port"))
}

func TestKnownPeersDoNotMix(t *testing.T) {
	alice, bob, hub := public(t, alicePublic), public(t, bobPublic), public(t, hubPublic)
	path := filepath.Join(t.TempDir(), "known_peers")
	open := func(own PublicKey, server string) *KnownPeers {
		p, err := OpenKnownPeers(path, own, server)
		require.NoError(t, err)
		return p
	}
	p := open(alice, "Hub.example:7700")
	assert.Equal(t, path, p.Path())
	require.NoError(t, p.Remember("carol", bob))
	require.NoError(t, open(alice, "hub.example:7701").Remember("carol", hub))
	require.NoError(t, open(hub, "hub.example:7700").Remember("carol", alice))
	var changed *ChangedKeyError
	require.ErrorAs(t, p.Check("carol", hub), &changed)
	require.ErrorAs(t, p.Remember("carol", hub), &changed)
	assert.Equal(t, ChangedKeyError{"peer", "carol", bob, hub, path, 1}, *changed)
	list, err := p.All()
	require.NoError(t, err)
	assert.Equal(t, []Known{{"carol", bob, 1}}, list)
	k, ok, err := open(hub, "hub.example:7700").Lookup("carol")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, alice, k)
	require.NoError(t, p.Forget("carol"))
	_, ok, err = p.Lookup("carol")
	require.NoError(t, err)
	assert.False(t, ok)
	require.NoError(t, p.Check("carol", hub))
	assert.Equal(t, 2, strings.Count(read(t, path), "\n"))

	_, _, err = p.Lookup("a b")
	assert.Error(t, err)
	assert.Error(t, p.Check("a b", bob))
	assert.Error(t, p.Remember("server", bob))
	assert.Error(t, p.Forget("a b"))
	_, err = OpenKnownPeers(path, PublicKey{}, "h:1")
	assert.Error(t, err)
	_, err = OpenKnownPeers(path, alice, "h")
	assert.Error(t, err)
}

func TestChangedKeyText(t *testing.T) {
	e := &ChangedKeyError{"server", "hub:1\x1b", public(t, alicePublic), public(t, bobPublic), "known", 7}
	assert.Equal(t, `the key of the server "hub:1\x1b" has changed from LKT3-W3JP-982W-WA44-JGLM to 6E6Q-R52U-R5VS-65FR-E9DA: `+
		`somebody may be standing in for it; ask its owner for the fingerprint, and only if it is the second one, `+
		`replace the key in line 7 of known with `+bobPublic, e.Error())
	e.Line = 0
	assert.Contains(t, e.Error(), "replace the key in known with")
	e.Path = ""
	assert.Contains(t, e.Error(), "replace the key that is remembered with "+bobPublic)
}

func TestKnownFileIsStrict(t *testing.T) {
	good := "# a comment\n\nhub.example:7700 " + alicePublic + "\n"
	path := filepath.Join(t.TempDir(), "known")
	for content, want := range map[string]string{
		good + "hub.example:7700 " + bobPublic: `:4: "hub.example:7700" is there already, in line 3`,
		good + "Hub.example:7701 " +
			bobPublic: `:4: the address "Hub.example:7701" is not in its usual form; write it as "hub.example:7701"`,
		good + "hub.example " + bobPublic:         `:4: the address "hub.example" is not HOST:PORT`,
		good + "hub.example:1  " + bobPublic:      ":4: this is not a known server",
		good + "hub.example:1 " + bobPublic + " ": ":4: this is not a known server",
		good + bobPublic:                          ":4: this is not a known server",
		good + " ":                                ":4: the address",
		good + "h:1 " + bobPublic[1:]:             ":4: not a valid key",
		good + "h:1 " + bobPublic + "\r\n":        ":4: not a valid key",
		good + "\xff":                             ": this is not UTF-8",
		strings.Repeat("#\n", maxFile/2+1):        ": the file is larger than 1 MiB",
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := OpenKnownServers(path)
		var fe *FileError
		require.ErrorAs(t, err, &fe)
		assert.Contains(t, err.Error(), path+want)
	}
	for content, want := range map[string]string{
		"h:1 bob " + bobPublic:                   ":1: this is not a known peer",
		"x h:1 bob " + bobPublic:                 ":1: not a valid key",
		alicePublic + " H:1 bob " + bobPublic:    ":1: the address \"H:1\" is not in its usual form",
		alicePublic + " h bob " + bobPublic:      ":1: the address",
		alicePublic + " h:1 b/b " + bobPublic:    ":1: the name",
		alicePublic + " h:1 \u202e " + bobPublic: ":1: the name",
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := OpenKnownPeers(path, public(t, alicePublic), "h:1")
		require.Error(t, err)
		assert.Contains(t, err.Error(), path+want)
	}
}

// TestKnownFileGoesBad has the file spoilt after it was opened.
func TestKnownFileGoesBad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known")
	s, err := OpenKnownServers(path)
	require.NoError(t, err)
	p, err := OpenKnownPeers(path, public(t, alicePublic), "h:1")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("spoilt\n"), 0o600))
	k := public(t, bobPublic)
	_, _, err1 := s.Lookup("h:1")
	_, _, err2 := p.Lookup("bob")
	_, err3 := s.All()
	_, err4 := p.All()
	for _, err := range []error{err1, err2, err3, err4, s.Check("h:1", k), p.Check("bob", k), s.Remember("h:1", k), p.Remember("bob", k),
		s.Forget("h:1"), p.Forget("bob")} {
		var fe *FileError
		require.ErrorAs(t, err, &fe)
		assert.Equal(t, 1, fe.Line)
	}
	assert.Equal(t, "spoilt\n", read(t, path))
}

func TestKnownFileKeepsComments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known")
	require.NoError(t, os.WriteFile(path, []byte("# mine\n\na:1 "+alicePublic), 0o600))
	s, err := OpenKnownServers(path)
	require.NoError(t, err)
	require.NoError(t, s.Remember("b:1", public(t, bobPublic)))
	assert.Equal(t, "# mine\n\na:1 "+alicePublic+"\nb:1 "+bobPublic+"\n", read(t, path))
	require.NoError(t, s.Forget("a:1"))
	assert.Equal(t, "# mine\n\nb:1 "+bobPublic+"\n", read(t, path))
}

func TestKnownFileIsCapped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known")
	full := strings.Repeat("#\n", maxFile/2-10)
	require.NoError(t, os.WriteFile(path, []byte(full), 0o600))
	s, err := OpenKnownServers(path)
	require.NoError(t, err)
	require.ErrorContains(t, s.Remember("a:1", public(t, alicePublic)), "full")
	assert.Len(t, read(t, path), len(full))
}

func TestDefaultPaths(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, home)
	}
	servers, err := DefaultKnownServers()
	require.NoError(t, err)
	peers, err := DefaultKnownPeers()
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(servers, home) && strings.HasPrefix(peers, home))
	assert.Equal(t, filepath.Join("pysock", "known_servers"), servers[len(filepath.Dir(filepath.Dir(servers)))+1:])
	assert.Equal(t, filepath.Dir(servers), filepath.Dir(peers))
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, "")
	}
	_, err = DefaultKnownServers()
	assert.Error(t, err)
}

func FuzzKnown(f *testing.F) {
	f.Add([]byte("# c\n\nhub.example:7700 " + alicePublic + "\n"))
	f.Add([]byte(alicePublic + " hub.example:7700 bob " + bobPublic + "\n"))
	f.Add([]byte("a:1 " + alicePublic + "\na:1 " + bobPublic))
	f.Fuzz(func(t *testing.T, data []byte) {
		servers := &knownStore{path: "f", check: checkServerLine}
		peers := &knownStore{path: "f", check: checkPeerLine}
		for _, s := range []*knownStore{servers, peers} {
			k, err := s.parse(data)
			if err != nil {
				continue
			}
			// What was read, written again line by line, is what was there.
			for id, e := range k.entries {
				if want := fmt.Sprintf("%s %s", id, e.Key); k.lines[e.Line-1] != want {
					t.Fatalf("line %d is %q, read as %q", e.Line, k.lines[e.Line-1], want)
				}
			}
			if got := strings.Join(k.lines, "\n"); got != strings.TrimSuffix(string(data), "\n") {
				t.Fatalf("%q is kept as %q", data, got)
			}
		}
	})
}
