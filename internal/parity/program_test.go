package parity_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// programs are the commands and examples that tests run, built once.
var programs struct {
	once sync.Once
	dir  string
	err  error
}

// program gives the path of one of them.
func program(t *testing.T, name string) string {
	t.Helper()
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "parity"); programs.err != nil {
			return
		}
		build := exec.Command("go", "build", "-buildvcs=false", "-o", programs.dir+string(filepath.Separator), "./cmd/pysock",
			"./examples/hisock")
		build.Dir, build.Stderr = filepath.Join("..", ".."), os.Stderr
		programs.err = build.Run()
	})
	require.NoError(t, programs.err)
	return filepath.Join(programs.dir, name)
}

// process is a program that runs.
type process struct {
	t     *testing.T
	lines *bufio.Scanner
}

// start starts a program in a folder. It is killed when the test ends.
func start(t *testing.T, path, dir string, args ...string) *process {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close() // the process has its own
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, w, w
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = r.Close()
	})
	return &process{t, bufio.NewScanner(r)}
}

// after waits for a line that begins with mark, and gives the rest of it.
func (p *process) after(mark string) string {
	p.t.Helper()
	for p.lines.Scan() {
		if rest, ok := strings.CutPrefix(p.lines.Text(), mark); ok {
			return rest
		}
	}
	p.t.Fatalf("it printed no line with %q: %v", mark, p.lines.Err())
	return ""
}
