package keys

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var updateErrors = flag.Bool("update", false, "write testdata/keys/bad/*.error anew")

// childEnv makes the test binary a process that a test needs besides its own: its
// value is a key of children.
const childEnv = "PYSOCK_TEST_CHILD"

var children = map[string]func() int{"remember": rememberMany}

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

const (
	alicePublic = "pysock15nsf9y4k28p83wth93tf7hafhvfajp45d2mge80ems45gz0c5gysh7dglm"
	aliceSecret = "PYSOCK-SECRET-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSKVTJYC"
	bobPublic   = "pysock1e6xn45wvkce7c7msc9upffw8dmxs9959q5xng369hgzcwrjc04vsyujx0l"
	hubPublic   = "pysock1thld6wmt63lklg5wu9wed82mkr49xa6dfz9a47wlr3hqzf9nau3qxrw87r"

	testPassphrase = "correct horse"
	testIdentity   = "AGE-SECRET-KEY-1N9JEPW6DWJ0ZQUDX63F5A03GX8QUW7PXDE39N8UYF82VZ9PC8UFS3M7XA9"
	goodFiles      = "../testdata/keys/good"
	badFiles       = "../testdata/keys/bad"
)

// fixed returns the private key of 32 times the byte.
func fixed(t testing.TB, b byte) *PrivateKey {
	t.Helper()
	k, err := NewPrivateKey(bytes.Repeat([]byte{b}, 32))
	require.NoError(t, err)
	return k
}

func public(t testing.TB, text string) PublicKey {
	t.Helper()
	k, err := ParsePublicKey(text)
	require.NoError(t, err)
	return k
}

// place copies a good file into a folder of its own, with mode 0600.
func place(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goodFiles, name))
	require.NoError(t, err)
	return write(t, string(data))
}

// write makes a key file of mode 0600 in a folder that only its owner can write.
func write(t testing.TB, content string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o755))
	path := filepath.Join(folder, "id.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
