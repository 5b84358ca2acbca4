package server

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// namesPath is a path for a book, in a folder that is not there yet.
func namesPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "state", "names")
}

func writeNames(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "names")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func readNames(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// breakNames makes writing the book fail until the function that it returns is called.
func breakNames(t testing.TB, path string) func() {
	t.Helper()
	temp := filepath.Join(filepath.Dir(path), ".names.tmp")
	require.NoError(t, os.MkdirAll(filepath.Join(temp, "in the way"), 0o700))
	return func() { require.NoError(t, os.RemoveAll(temp)) }
}

func TestNamesFileKeepsWhatItIsTold(t *testing.T) {
	path := namesPath(t)
	n := openNames(t, path, nil)
	fresh := readNames(t, path)
	require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
	require.NoError(t, n.Claim("bøb", nameKey(t, 2), noon))
	assert.Equal(t, strings.TrimSuffix(string(fresh), "# end\n")+
		"alice "+nameKey(t, 1).String()+" 2026-05-01\n"+
		"bøb "+nameKey(t, 2).String()+" 2026-05-01\n# end\n", string(readNames(t, path)))
	require.NoError(t, n.Release("alice"))
	assert.NotContains(t, string(readNames(t, path)), "alice")
	require.NoError(t, n.Close())

	n = openNames(t, path, nil)
	holds(t, n, "bøb", nameKey(t, 2), noon)
	assert.Equal(t, 1, n.Len())
	assert.ErrorIs(t, n.Claim("bøb", nameKey(t, 3), noon), channel.CodeNameTaken)
	require.NoError(t, n.Close())

	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, entry := range left {
		assert.Contains(t, []string{"names", "names.lock"}, entry.Name())
	}
}

func TestNamesFileKeepsComments(t *testing.T) {
	path := writeNames(t, fmt.Sprintf("#friends\n\nalice %s 2026-01-02\n# others\nbob %s 2026-01-02\n# end\n", nameKey(t, 1),
		nameKey(t, 2)))
	n := openNames(t, path, &NamesConfig{Max: 1})
	assert.Equal(t, 2, n.Len(), "a lower cap takes no name away")
	assert.ErrorIs(t, n.Claim("carol", nameKey(t, 3), time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)), channel.CodeLimit)
	require.NoError(t, n.Release("alice"))
	assert.Equal(t, fmt.Sprintf("#friends\n\n# others\nbob %s 2026-01-02\n# end\n", nameKey(t, 2)), string(readNames(t, path)))

	require.NoError(t, n.Claim("carol", nameKey(t, 3), noon), "bob has expired")
	assert.Equal(t, fmt.Sprintf("#friends\n\n# others\ncarol %s 2026-05-01\n# end\n", nameKey(t, 3)), string(readNames(t, path)))
}

func TestNamesFileStrict(t *testing.T) {
	key, other := nameKey(t, 1).String(), nameKey(t, 2).String()
	good := "alice " + key + " 2026-01-02\n"
	for name, c := range map[string]struct {
		content string
		line    int
	}{
		"empty":                {"", 0},
		"cut off in a line":    {"# a\nalice " + key, 0},
		"cut off after a line": {"# a\n" + good, 0},
		"cut off in the end":   {good + "# end", 0},
		"end on another line":  {"# a# end\n", 0},
		"more after the end":   {good + "# end\n" + "bob " + other + " 2026-01-02\n", 0},
		"two ends":             {good + "# end\n\n# end\n", 2},
		"not UTF-8":            {"# \xff\n# end\n", 0},
		"no date":              {"\nalice " + key + "\n# end\n", 2},
		"two spaces":           {"alice  " + key + " 2026-01-02\n# end\n", 1},
		"a space before":       {" alice " + key + " 2026-01-02\n# end\n", 1},
		"CRLF":                 {"alice " + key + " 2026-01-02\r\n# end\n", 1},
		"bad name":             {"a/b " + key + " 2026-01-02\n# end\n", 1},
		"the server's name":    {"Server " + key + " 2026-01-02\n# end\n", 1},
		"bad key":              {"alice " + key[:20] + " 2026-01-02\n# end\n", 1},
		"a private key":        {"alice PYSOCK-SECRET-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSKVTJYC 2026-01-02\n# end\n", 1},
		"its own private key":  {"PYSOCK-SECRET-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQ " + key + " 2026-01-02 x\n# end\n", 1},
		"bad date":             {"alice " + key + " 2026-02-30\n# end\n", 1},
		"short date":           {"alice " + key + " 2026-1-2\n# end\n", 1},
		"same name":            {good + "alice " + other + " 2026-01-02\n# end\n", 2},
		"same key":             {good + "bob " + key + " 2026-01-02\n# end\n", 2},
		"look-alike":           {good + "Alice " + other + " 2026-01-02\n# end\n", 2},
		"too large":            {strings.Repeat("#", maxNamesFile) + "\n# end\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeNames(t, c.content)
			_, err := OpenNames(path, nil)
			var e *keys.FileError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, path, e.Path)
			assert.Equal(t, c.line, e.Line, "%v", err)
			assert.NotContains(t, err.Error(), "SECRET")
			assert.True(t, c.content == string(readNames(t, path)), "the file is left as it is")
			require.NoError(t, os.WriteFile(path, []byte(good+"# end\n"), 0o600))
			openNames(t, path, nil) // the lock is free again
		})
	}
}

func TestNamesFileMustBeOne(t *testing.T) {
	_, err := OpenNames(t.TempDir(), nil)
	assert.ErrorContains(t, err, "not a regular file")
	path := writeNames(t, "# end\n")
	_, err = OpenNames(filepath.Join(path, "names"), nil)
	assert.ErrorContains(t, err, "cannot make the folder")
	require.NoError(t, os.MkdirAll(path+".lock", 0o700))
	_, err = OpenNames(path, nil)
	assert.ErrorContains(t, err, "cannot lock the file")
}

func TestNamesFileHasOneServer(t *testing.T) {
	path := writeNames(t, "# end\n")
	n := openNames(t, path, nil)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(path, link))
	for _, p := range []string{path, link} {
		_, err := OpenNames(p, nil)
		var e *keys.FileError
		require.ErrorAs(t, err, &e)
		assert.ErrorContains(t, err, p+": another server has these names open")
	}
	require.NoError(t, n.Close())

	n = openNames(t, link, nil)
	require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
	assert.Contains(t, string(readNames(t, path)), "alice", "the link is followed")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink, "and left")
}

func TestNamesWriteFails(t *testing.T) {
	path := namesPath(t)
	n := openNames(t, path, nil)
	require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
	before := readNames(t, path)
	mend := breakNames(t, path)

	var e *keys.FileError
	require.ErrorAs(t, n.Claim("bob", nameKey(t, 2), noon), &e)
	isFree(t, n, "bob", noon)
	_, ok := n.NameOf(nameKey(t, 2), noon)
	assert.False(t, ok)
	require.ErrorAs(t, n.Release("alice"), &e)
	holds(t, n, "alice", nameKey(t, 1), noon)
	assert.NoError(t, n.Claim("alice", nameKey(t, 1), noon.AddDate(0, 0, 1)), "a visit does not wait for the disk")
	assert.Equal(t, before, readNames(t, path))

	mend()
	require.NoError(t, n.Claim("Bob", nameKey(t, 2), noon))
	assert.Contains(t, string(readNames(t, path)), "alice "+nameKey(t, 1).String()+" 2026-05-02\nBob ")

	mend = breakNames(t, path)
	require.NoError(t, n.Claim("alice", nameKey(t, 1), noon.AddDate(0, 0, 2)))
	require.ErrorAs(t, n.Close(), &e, "a visit could not be written")
	mend()
	openNames(t, path, nil) // the lock is free all the same
}

// Those who wait while somebody writes share the next write, and its error. What was done on top of
// what failed fails too.
func TestNamesShareAWrite(t *testing.T) {
	for _, fails := range []bool{false, true} {
		path := namesPath(t)
		n := openNames(t, path, nil)
		require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
		mend := func() {}
		if fails {
			mend = breakNames(t, path)
		}
		changes := []func() error{
			func() error { return n.Release("alice") },
			func() error { return n.Claim("alice", nameKey(t, 2), noon) },
			func() error { return n.Claim("bob", nameKey(t, 3), noon) },
		}
		errs := make([]error, len(changes))
		var all sync.WaitGroup
		n.writing.Lock()
		for i, change := range changes {
			all.Go(func() { errs[i] = change() })
			for entered := 0; entered <= i; runtime.Gosched() {
				n.mu.Lock()
				if n.pending != nil {
					entered = len(n.pending.undo)
				}
				n.mu.Unlock()
			}
		}
		n.mu.Lock()
		b, err := n.claim(&entry{name: "bob", fold: "bob", key: nameKey(t, 3), seen: dayOf(noon)})
		assert.NoError(t, err)
		assert.Same(t, n.pending, b, "who claims it again waits too")
		n.mu.Unlock()
		n.writing.Unlock()
		all.Wait()
		mend()
		if !fails {
			assert.Equal(t, make([]error, len(changes)), errs)
			holds(t, n, "alice", nameKey(t, 2), noon)
			assert.Contains(t, string(readNames(t, path)), "bob")
			continue
		}
		for _, err := range errs {
			var e *keys.FileError
			assert.ErrorAs(t, err, &e)
			assert.Same(t, errs[0], err, "of one write")
		}
		holds(t, n, "alice", nameKey(t, 1), noon)
		isFree(t, n, "bob", noon)
		_, ok := n.NameOf(nameKey(t, 2), noon)
		assert.False(t, ok, "taken back in reverse")
	}
}

// While a write goes on others change what it writes. If it fails, so do they.
func TestNamesChangeDuringAFailingWrite(t *testing.T) {
	n := openNames(t, namesPath(t), nil)
	require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
	n.writing.Lock()
	n.mu.Lock()
	alice := n.byName["alice"]
	n.remove(alice)
	first := n.change(func() { n.put(alice) })
	n.pending = nil // as the write begins
	second, err := n.claim(&entry{name: "alice", fold: "alice", key: nameKey(t, 2), seen: dayOf(noon)})
	require.NoError(t, err)
	n.fail(first, os.ErrInvalid)
	n.mu.Unlock()
	n.writing.Unlock()
	assert.ErrorIs(t, n.save(first), os.ErrInvalid)
	assert.ErrorIs(t, n.save(second), os.ErrInvalid)
	holds(t, n, "alice", nameKey(t, 1), noon)
	_, ok := n.NameOf(nameKey(t, 2), noon)
	assert.False(t, ok)
}

func TestNamesVisitsAreWrittenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := namesPath(t)
		n := openNames(t, path, nil)
		require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
		first, err := os.Stat(path)
		require.NoError(t, err)
		same := func() bool {
			info, err := os.Stat(path)
			require.NoError(t, err)
			return os.SameFile(first, info)
		}
		for range 100 {
			require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
		}
		<-time.After(flushDelay * 3 / 2)
		assert.True(t, same(), "visits of the same day write nothing")

		tomorrow := noon.AddDate(0, 0, 1)
		require.NoError(t, n.Claim("alice", nameKey(t, 1), tomorrow))
		assert.True(t, same(), "not at once")
		mend := breakNames(t, path)
		<-time.After(flushDelay * 3 / 2)
		assert.True(t, same())
		mend()
		<-time.After(flushDelay * 3 / 2)
		assert.False(t, same(), "tried again")
		assert.Contains(t, string(readNames(t, path)), " 2026-05-02\n")

		require.NoError(t, n.Claim("alice", nameKey(t, 1), tomorrow.AddDate(0, 0, 1)))
		require.NoError(t, n.Close())
		assert.Contains(t, string(readNames(t, path)), " 2026-05-03\n", "Close writes what is left")
	})
}

func TestNamesFileMayNotGrowWithoutEnd(t *testing.T) {
	path := writeNames(t, strings.Repeat("#", maxNamesFile-7)+"\n# end\n")
	n := openNames(t, path, nil)
	var e *keys.FileError
	require.ErrorAs(t, n.Claim("alice", nameKey(t, 1), noon), &e, "it could not be read back")
	isFree(t, n, "alice", noon)
}

// namesChild makes the test binary a server that claims a name in the book at this path and then hangs.
const namesChild = "PYSOCK_TEST_NAMES"

func init() {
	path := os.Getenv(namesChild)
	if path == "" {
		return
	}
	n, err := OpenNames(path, nil)
	if err == nil {
		key, _ := keys.NewPublicKey([]byte(strings.Repeat("k", keys.PublicKeySize)))
		err = n.Claim("child", key, noon)
	}
	fmt.Println("done", err)
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
	os.Exit(1)
}

func TestNamesSurviveACrash(t *testing.T) {
	path := namesPath(t)
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(self)
	child.Env = append(os.Environ(), namesChild+"="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	_, err = child.StdinPipe() // Wait closes it
	require.NoError(t, err)
	require.NoError(t, child.Start())
	var word, result string
	_, err = fmt.Fscanln(out, &word, &result)
	assert.NoError(t, err)
	assert.Equal(t, "done <nil>", word+" "+result)
	_, err = OpenNames(path, nil)
	assert.ErrorContains(t, err, "another server")
	require.NoError(t, child.Process.Kill())
	assert.Error(t, child.Wait())

	// As if it had died in the middle of its next write.
	temp := filepath.Join(filepath.Dir(path), ".names.tmp")
	require.NoError(t, os.WriteFile(temp, []byte("# half a fi"), 0o600))
	n := openNames(t, path, nil)
	assert.Equal(t, 1, n.Len())
	assert.ErrorIs(t, n.Claim("child", nameKey(t, 1), noon), channel.CodeNameTaken)
	require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
	assert.NoFileExists(t, temp)
}

func FuzzNames(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("# end\n"))
	f.Add([]byte("#\n\n# end\n# end\n"))
	f.Add(fmt.Appendf(nil, "# a\nalice %s 2026-01-02\nbøb %s 0000-12-31\n\n# end\n", nameKey(f, 1), nameKey(f, 2)))
	f.Add(fmt.Appendf(nil, "alice %s 9999-12-31\nAlice %s 0000-01-01\n# end\n", nameKey(f, 1), nameKey(f, 2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := OpenNames("", nil)
		require.NoError(t, err)
		n.path = "names"
		if err := n.parse(data); err != nil {
			return
		}
		require.Equal(t, string(data), string(appendNames(nil, n.lines)))
		require.Len(t, n.byKey, n.Len())
		require.Len(t, n.byFold, n.Len())
		for name, key := range n.All() {
			require.NoError(t, keys.CheckClientName(name))
			require.False(t, key.IsZero())
		}
	})
}
