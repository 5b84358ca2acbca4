//go:build unix

package tutorial

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTutorial is the reader of docs/tutorial.md.
func TestTutorial(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	bin, dir := t.TempDir(), t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "./cmd/pysock")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	module(t, root, dir)
	env := append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")

	port := freePort(t)
	terminals := make(map[string]*terminal)
	for _, b := range document(t, port) {
		if b.file != "" {
			write(t, filepath.Join(dir, b.file), strings.Join(b.lines, "\n")+"\n")
			continue
		}
		x := terminals[b.terminal]
		if x == nil {
			x = &terminal{t: t, name: b.terminal, dir: dir, env: env}
			t.Cleanup(func() { _ = x.stop(syscall.SIGKILL) })
			terminals[b.terminal] = x
		}
		require.NoErrorf(t, x.play(b.lines), "docs/tutorial.md:%d", b.line)
		if strings.HasPrefix(b.lines[0], "$ pysock init") {
			require.NoError(t, x.finish())
			usePort(t, dir, port)
		}
	}
	for _, x := range terminals {
		require.NoError(t, x.stop(syscall.SIGINT))
	}
}

// module makes what "go mod init" and "go get" would, of this tree.
func module(t *testing.T, root, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	ours := regexp.MustCompile(`(?m)^module (.*)$`).FindStringSubmatch(string(text))[1]
	mod := strings.Replace(string(text), "module "+ours, "module chat", 1)
	mod += "\nrequire " + ours + " v0.0.0\n\nreplace " + ours + " => " + root + "\n"
	write(t, filepath.Join(dir, "go.mod"), mod)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	write(t, filepath.Join(dir, "go.sum"), string(sum))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// usePort puts another port into the key files: the document's may be taken on this machine.
func usePort(t *testing.T, dir, port string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		write(t, path, strings.ReplaceAll(string(text), ":7700", ":"+port))
	}
}

// freePort is one that was free a moment ago. The server is told by its key file where to listen, and so are the
// clients: it cannot be 0.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	require.NoError(t, err)
	return port
}
