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
	in     io.WriteCloser
	out    io.Closer
	lines  *bufio.Scanner
	waited bool
}

// Start runs the example whose test this is, with the arguments that a person would give it, in a
// folder. It is killed when the test ends, at the latest.
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
	in, err := cmd.StdinPipe()
	if err != nil {
		r.Close()
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.Close()
		t.Fatal(err)
	}
	p := &Process{t: t, cmd: cmd, in: in, out: r, lines: bufio.NewScanner(r)}
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

// Until waits for a line that has mark in it, and returns what was printed up to its end.
func (p *Process) Until(mark string) string {
	p.t.Helper()
	var text strings.Builder
	for p.lines.Scan() {
		text.WriteString(p.lines.Text() + "\n")
		if strings.Contains(p.lines.Text(), mark) {
			return text.String()
		}
	}
	p.t.Fatalf("the example printed no line with %q, but\n%s", mark, text.String())
	return ""
}

// Type gives the process a line of input.
func (p *Process) Type(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// EndInput ends the input of the process.
func (p *Process) EndInput() { p.in.Close() }

// Wait waits for the end of the process and returns what else it printed. The test fails if the process did.
func (p *Process) Wait() string {
	p.t.Helper()
	rest, err := p.end()
	if err != nil {
		p.t.Fatalf("the example failed: %v, and printed\n%s", err, rest)
	}
	return rest
}

// Fails is Wait for a process that is to fail.
func (p *Process) Fails() string {
	p.t.Helper()
	rest, err := p.end()
	if err == nil {
		p.t.Fatalf("the example did not fail, and printed\n%s", rest)
	}
	return rest
}

func (p *Process) end() (rest string, err error) {
	var text strings.Builder
	for p.lines.Scan() {
		text.WriteString(p.lines.Text() + "\n")
	}
	p.waited = true
	err = p.cmd.Wait()
	return text.String(), err
}
