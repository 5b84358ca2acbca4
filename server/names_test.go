package server

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// noon is when tests of names take place.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// nameKey returns the i-th of many keys. They are not of private keys, which would take long to compute.
func nameKey(t testing.TB, i int) keys.PublicKey {
	t.Helper()
	key, err := keys.NewPublicKey(fmt.Appendf(nil, "key %028d", i))
	require.NoError(t, err)
	return key
}

func openNames(t testing.TB, path string, cfg *NamesConfig) *Names {
	t.Helper()
	n, err := OpenNames(path, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { n.Close() })
	return n
}

func holds(t testing.TB, n *Names, name string, key keys.PublicKey, now time.Time) {
	t.Helper()
	got, ok := n.Lookup(name, now)
	assert.True(t, ok)
	assert.Equal(t, key, got)
	back, ok := n.NameOf(key, now)
	assert.True(t, ok)
	assert.Equal(t, name, back)
}

func isFree(t testing.TB, n *Names, name string, now time.Time) {
	t.Helper()
	_, ok := n.Lookup(name, now)
	assert.False(t, ok)
}

func TestNamesFirstComeFirstServed(t *testing.T) {
	n := openNames(t, "", nil)
	alice, bob := nameKey(t, 1), nameKey(t, 2)
	isFree(t, n, "alice", noon)
	_, ok := n.NameOf(alice, noon)
	assert.False(t, ok)

	require.NoError(t, n.Claim("alice", alice, noon))
	require.NoError(t, n.Claim("alice", alice, noon), "the same key comes again")
	assert.ErrorIs(t, n.Claim("alice", bob, noon), channel.CodeNameTaken)
	holds(t, n, "alice", alice, noon)

	require.NoError(t, n.Claim("bob", bob, noon))
	err := n.Claim("robert", bob, noon)
	assert.ErrorIs(t, err, channel.CodeNameTaken, "a key has one name")
	assert.ErrorContains(t, err, `"bob"`)
	isFree(t, n, "robert", noon)
	assert.Equal(t, 2, n.Len())
}

func TestNamesRefusesBadOnes(t *testing.T) {
	n := openNames(t, "", nil)
	for _, name := range []string{"", "a b", "a/b", "..", "server", "SERVER", "ｓｅｒｖｅｒ", "#alice", "e\u0301", "\xff",
		strings.Repeat("a", 65), strings.Repeat("\u0300", 32)} {
		err := n.Claim(name, nameKey(t, 1), noon)
		assert.ErrorIs(t, err, channel.CodeBadName, "%q", name)
		var e *channel.Error
		require.ErrorAs(t, err, &e)
		assert.LessOrEqual(t, len(e.Text), 255, "what a refusal can carry")
	}
	require.NoError(t, n.Claim(strings.Repeat("é", 32), nameKey(t, 1), noon))
	assert.ErrorIs(t, n.Claim("nobody", keys.PublicKey{}, noon), keys.ErrInvalidKey)
	assert.Equal(t, 1, n.Len())
}

func TestNamesRefusesLookAlikes(t *testing.T) {
	for held, asked := range map[string]string{
		"alice":  "Alice",
		"Alice":  "ａｌｉｃｅ",
		"fine":   "ﬁne",
		"straſe": "STRASE",
		"Ωmega":  "ωmega",
		"σας":    "ΣΑΣ",
		"Kelvin": "kelvin",
		"a²":     "A2",
		"ǅ":      "ǆ",
	} {
		n := openNames(t, "", nil)
		require.NoError(t, n.Claim(held, nameKey(t, 1), noon))
		assert.ErrorIs(t, n.Claim(asked, nameKey(t, 2), noon), channel.CodeNameTaken, "%q while there is %q", asked, held)
		isFree(t, n, asked, noon)
		require.NoError(t, n.Release(held))
		assert.NoError(t, n.Claim(asked, nameKey(t, 2), noon), asked)
	}
	n := openNames(t, "", nil)
	for i, name := range []string{"alice", "alicé", "alicia", "al1ce", "i", "j"} {
		assert.NoError(t, n.Claim(name, nameKey(t, i), noon), name)
	}
}

func TestNamesExpire(t *testing.T) {
	const d = 24 * time.Hour
	n := openNames(t, "", &NamesConfig{Expire: 9*d + 1})
	alice, bob, carol := nameKey(t, 1), nameKey(t, 2), nameKey(t, 3)
	require.NoError(t, n.Claim("alice", alice, noon))
	last := time.Date(2026, 5, 11, 23, 59, 59, 0, time.UTC)
	holds(t, n, "alice", alice, last)
	assert.ErrorIs(t, n.Claim("alice", bob, last), channel.CodeNameTaken)
	gone := last.Add(time.Second)
	isFree(t, n, "alice", gone)
	_, ok := n.NameOf(alice, gone)
	assert.False(t, ok)
	assert.Equal(t, 1, n.Len())

	require.NoError(t, n.Claim("Alice", bob, gone), "neither the name nor one like it is held")
	holds(t, n, "Alice", bob, gone)
	assert.ErrorIs(t, n.Claim("alice", alice, gone), channel.CodeNameTaken)
	require.NoError(t, n.Claim("carol", carol, gone))
	require.NoError(t, n.Claim("caroline", carol, gone.Add(11*d)), "a key that lost its name may have another")
	isFree(t, n, "carol", noon)

	// A visit keeps the name, and one by a clock that went back does not count for less.
	require.NoError(t, n.Claim("alice", alice, gone.Add(50*d)))
	require.NoError(t, n.Claim("alice", alice, gone.Add(60*d)))
	require.NoError(t, n.Claim("alice", alice, time.Unix(0, 0)))
	holds(t, n, "alice", alice, gone.Add(70*d))
	isFree(t, n, "alice", gone.Add(71*d))
}

func TestNamesDefaultsAndNever(t *testing.T) {
	n := openNames(t, "", nil)
	require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
	holds(t, n, "alice", nameKey(t, 1), noon.AddDate(0, 0, 90))
	isFree(t, n, "alice", noon.AddDate(0, 0, 91))

	n = openNames(t, "", &NamesConfig{Expire: -1})
	require.NoError(t, n.Claim("alice", nameKey(t, 1), time.Time{}))
	holds(t, n, "alice", nameKey(t, 1), noon.AddDate(20_000, 0, 0))

	for _, bad := range []int{-1, mostNames + 1} {
		_, err := OpenNames("", &NamesConfig{Max: bad})
		assert.Error(t, err)
	}
}

func TestNamesCap(t *testing.T) {
	n := openNames(t, "", &NamesConfig{Max: 3, Expire: 24 * time.Hour})
	for i, name := range []string{"a", "b", "c"} {
		require.NoError(t, n.Claim(name, nameKey(t, i), noon.AddDate(0, 0, i)))
	}
	assert.ErrorIs(t, n.Claim("d", nameKey(t, 9), noon.AddDate(0, 0, 1)), channel.CodeLimit)
	assert.NoError(t, n.Claim("b", nameKey(t, 1), noon.AddDate(0, 0, 1)), "those who have one may come")
	assert.Equal(t, 3, n.Len())

	require.NoError(t, n.Claim("d", nameKey(t, 9), noon.AddDate(0, 0, 2)), "a has expired")
	isFree(t, n, "a", noon)
	assert.ErrorIs(t, n.Claim("e", nameKey(t, 8), noon.AddDate(0, 0, 2)), channel.CodeLimit)
	require.NoError(t, n.Release("c"))
	assert.NoError(t, n.Claim("e", nameKey(t, 8), noon.AddDate(0, 0, 2)))
}

func TestNamesDefaultCap(t *testing.T) {
	n := openNames(t, "", nil)
	for i := range 10_000 {
		require.NoError(t, n.Claim(fmt.Sprint("n", i), nameKey(t, i), noon))
	}
	assert.ErrorIs(t, n.Claim("more", nameKey(t, 10_000), noon), channel.CodeLimit)
}

func TestNamesReleaseAndAll(t *testing.T) {
	n := openNames(t, "", nil)
	assert.ErrorIs(t, n.Release("alice"), keys.ErrNotKnown)
	for i, name := range []string{"carol", "alice", "bob"} {
		require.NoError(t, n.Claim(name, nameKey(t, i), noon))
	}
	require.NoError(t, n.Release("bob"))
	assert.ErrorIs(t, n.Release("Alice"), keys.ErrNotKnown, "names are compared exactly")
	var all []string
	for name, key := range n.All() {
		all = append(all, name)
		holds(t, n, name, key, noon) // the book is not locked meanwhile
	}
	assert.Equal(t, []string{"alice", "carol"}, all)
	for range n.All() {
		break
	}
	require.NoError(t, n.Claim("bob", nameKey(t, 7), noon))

	require.NoError(t, n.Close())
	require.NoError(t, n.Close())
	assert.ErrorIs(t, n.Claim("dave", nameKey(t, 8), noon), os.ErrClosed)
	assert.ErrorIs(t, n.Release("alice"), os.ErrClosed)
	holds(t, n, "bob", nameKey(t, 7), noon)
	assert.Equal(t, 3, n.Len())
}

// Many goroutines want the same names; each name goes to one.
func TestNamesConcurrent(t *testing.T) {
	path := namesPath(t)
	n := openNames(t, path, nil)
	const names, each = 8, 6
	won := make([][]error, names)
	var all sync.WaitGroup
	for i := range names {
		won[i] = make([]error, each)
		for j := range each {
			all.Go(func() {
				won[i][j] = n.Claim(fmt.Sprint("n", i), nameKey(t, 100*i+j), noon)
				n.Lookup("n0", noon)
				n.NameOf(nameKey(t, 0), noon)
			})
		}
	}
	all.Wait()
	onDisk := string(readNames(t, path)) // before Close: each Claim has waited for it
	for i, results := range won {
		winners := 0
		for j, err := range results {
			if err == nil {
				winners++
				holds(t, n, fmt.Sprint("n", i), nameKey(t, 100*i+j), noon)
				assert.Contains(t, onDisk, fmt.Sprintf("\nn%d %s 2026-05-01\n", i, nameKey(t, 100*i+j)))
			} else {
				assert.ErrorIs(t, err, channel.CodeNameTaken)
			}
		}
		assert.Equal(t, 1, winners)
	}
	assert.Equal(t, names, bytes.Count(readNames(t, path), []byte("pysock1")))
}
