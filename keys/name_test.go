package keys

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNames(t *testing.T) {
	for _, s := range []string{"a", "alice", "Zoë", "боб", "李", "a.b", "...", "-", "a@b", "~", "🙂", strings.Repeat("a", 64),
		strings.Repeat("é", 32)} {
		assert.NoError(t, CheckName(s), "%q", s)
		assert.NoError(t, CheckChannel(s), "%q", s)
	}
	for _, s := range []string{
		"", ".", "..", strings.Repeat("a", 65), strings.Repeat("é", 33), "a b", " a", "a\t", "a\n", "a\u00a0b", "a\u2028b", "a\u3000b",
		"\x85",
		"a\x00b", "a\x1bb", "a\x7fb", "a\u009bb", "a\u202eb", "a\u2066b", "a\u200bb", "a\u200db", "a\u00adb", "\ufeffa", "\U000e0041",
		"a/b", `a\b`, "a:b", "a*b", "a?b", `a"b`, "a<b", "a>b", "a|b", "a\xff", "\xed\xa0\x80", "e\u0301", "\u212b",
	} {
		err := CheckName(s)
		var ne *NameError
		require.ErrorAs(t, err, &ne, "%q", s)
		assert.Equal(t, s, ne.Name)
		assert.NotContains(t, err.Error(), "\x1b")
		assert.NotContains(t, err.Error(), "\u202e")
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestChannels(t *testing.T) {
	for _, s := range []string{".", "..", "a/b", "a:*", strings.Repeat("a", 128)} {
		assert.NoError(t, CheckChannel(s), "%q", s)
	}
	for _, s := range []string{"", strings.Repeat("a", 129), "a b", "a\x00", "a\u202e", "\xff", "e\u0301"} {
		var ne *NameError
		require.ErrorAs(t, CheckChannel(s), &ne, "%q", s)
		assert.Equal(t, "channel name", ne.What)
	}
}

func TestClientNames(t *testing.T) {
	assert.NoError(t, CheckName("server"))
	assert.NoError(t, CheckClientName("servers"))
	for _, s := range []string{"server", "Server", "SERVER", "", "a/b"} {
		var ne *NameError
		assert.ErrorAs(t, CheckClientName(s), &ne, "%q", s)
	}
}

func TestNormalizeName(t *testing.T) {
	s, err := NormalizeName("e\u0301")
	require.NoError(t, err)
	assert.Equal(t, "\u00e9", s)
	_, err = NormalizeName("a b")
	assert.Error(t, err)
	rapid.Check(t, func(t *rapid.T) {
		s, err := NormalizeName(rapid.String().Draw(t, "name"))
		if err == nil && CheckName(s) != nil {
			t.Fatalf("%q is normal and refused", s)
		}
	})
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"Hub.Example.:07700": "hub.example:7700",
		"127.0.0.1:1":        "127.0.0.1:1",
		"[::1]:7700":         "[::1]:7700",
	} {
		got, err := NormalizeAddress(in)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		again, err := NormalizeAddress(got)
		require.NoError(t, err)
		assert.Equal(t, got, again)
	}
	for _, in := range []string{"", "hub", ":1", ".:1", "hub:", "hub:0", "hub:65536", "hub:http", "hub:-1", "hub:+1", "::1:7700", "a b:1",
		"a\u202e:1", strings.Repeat("h", 300) + ":1"} {
		_, err := NormalizeAddress(in)
		assert.Error(t, err, "%q", in)
	}
}

// TestInvisible refuses what two names could differ in without showing it.
func TestInvisible(t *testing.T) {
	for _, r := range []rune{0x3164, 0x115f, 0xffa0, 0x034f, 0xfe0f, 0x2800, 0xe0100, 0xfdd0, 0xffff, 0xe000, 0x200b, 0x202e, 0x00ad,
		0x1f} {
		for _, check := range []func(string) error{CheckName, CheckChannel, CheckClientName} {
			var ne *NameError
			require.ErrorAs(t, check("bob"+string(r)), &ne, "%U", r)
		}
	}
	for _, name := range []string{"böb", "боб", "ボブ", "bob-1_2.x", "한국", "👍"} {
		require.NoError(t, CheckName(name))
	}
}
