package extest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asExample is set in the environment of a test binary that is to be the example and not its test.
const asExample = "PYSOCK_TEST_AS_EXAMPLE"

// RunAsExample runs main and exits if this process was started by Start. A TestMain calls it first.
func RunAsExample(main func()) {
	if os.Getenv(asExample) == "" {
		return
	}
	main()
	os.Exit(0)
}

// A Process is an example that runs.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	out    io.Closer
	lines  *bufio.Scanner
	waited bool
}

// Start runs the example whose test this is, with the arguments that a person would give it, in a folder. It is killed when the
// test ends, at the latest.
func Start(t testing.TB, dir string, args ...string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() // the process has its own
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), asExample+"=1")
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		r.Close()
		t.Fatal(err)
	}
	p := &Process{t: t, cmd: cmd, out: r, lines: bufio.NewScanner(r)}
	t.Cleanup(p.stop)
	return p
}

func (p *Process) stop() {
	if !p.waited {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
	p.out.Close()
}

// Line waits for the next line that the process prints, on either output.
func (p *Process) Line() string {
	p.t.Helper()
	if !p.lines.Scan() {
		p.t.Fatalf("the example printed no more (%v)", p.lines.Err())
	}
	return p.lines.Text()
}

// After waits for the next line and returns what follows mark in it.
func (p *Process) After(mark string) string {
	p.t.Helper()
	line := p.Line()
	_, rest, ok := strings.Cut(line, mark)
	if !ok {
		p.t.Fatalf("the example printed %q, want a line with %q", line, mark)
	}
	return rest
}

// Wait waits for the end of the process and returns what else it printed. The test fails if the process did.
func (p *Process) Wait() string {
	p.t.Helper()
	var rest strings.Builder
	for p.lines.Scan() {
		rest.WriteString(p.lines.Text() + "\n")
	}
	p.waited = true
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("the example failed: %v, and printed\n%s", err, rest.String())
	}
	return rest.String()
}
