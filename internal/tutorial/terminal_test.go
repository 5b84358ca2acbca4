//go:build unix

package tutorial

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A terminal runs one command after another and sees what they print.
type terminal struct {
	t    *testing.T
	name string
	dir  string
	env  []string
	cmd  *exec.Cmd // nil while none runs
	in   io.WriteCloser
	out  *bufio.Scanner
	seen []string // by the present command
}

// play types what a block has to be typed, and awaits what it says is printed. What is printed with
// nothing typed between may come in any order: it has more than one reason.
func (x *terminal) play(lines []string) error {
	for len(lines) > 0 {
		n := slices.IndexFunc(lines, isTyped)
		switch {
		case n < 0:
			return x.await(lines)
		case n > 0:
			if err := x.await(lines[:n]); err != nil {
				return err
			}
		}
		if err := x.enter(lines[n]); err != nil {
			return err
		}
		lines = lines[n+1:]
	}
	return nil
}

// isTyped reports whether a line is for the command and not from it.
func isTyped(line string) bool {
	return strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "> ") || line == "^C" || line == "^D"
}

func (x *terminal) enter(line string) error {
	if command, ok := strings.CutPrefix(line, "$ "); ok {
		if err := x.finish(); err != nil {
			return err
		}
		return x.run(command)
	}
	if x.cmd == nil {
		return fmt.Errorf("nothing runs in %s", x.name)
	}
	switch line {
	case "^C":
		return x.stop(syscall.SIGINT)
	case "^D":
		if err := x.in.Close(); err != nil {
			return err
		}
		return x.finish()
	}
	_, err := fmt.Fprintln(x.in, strings.TrimPrefix(line, "> "))
	return err
}

func (x *terminal) run(command string) error {
	x.t.Logf("%s$ %s", x.name, command)
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close() // the command has its own
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = x.dir, x.env
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // "go run" has a child
	if x.in, err = cmd.StdinPipe(); err != nil {
		r.Close()
		return err
	}
	if err := cmd.Start(); err != nil {
		r.Close()
		return err
	}
	x.t.Cleanup(func() { r.Close() })
	x.cmd, x.out, x.seen = cmd, bufio.NewScanner(r), nil
	return nil
}

// await reads lines until there was one like each of want, in which … is for anything. Others
// between them, of those who come and go, may be there or not.
func (x *terminal) await(want []string) error {
	if x.cmd == nil {
		return fmt.Errorf("nothing runs in %s", x.name)
	}
	var like []*regexp.Regexp
	for _, w := range want {
		like = append(like, regexp.MustCompile("^"+strings.ReplaceAll(regexp.QuoteMeta(w), "…", ".*")+"$"))
	}
	for len(like) > 0 && x.out.Scan() {
		line := x.out.Text()
		x.t.Logf("%s: %s", x.name, line)
		x.seen = append(x.seen, line)
		if i := slices.IndexFunc(like, func(r *regexp.Regexp) bool { return r.MatchString(line) }); i >= 0 {
			like = slices.Delete(like, i, i+1)
		}
	}
	if len(like) > 0 {
		return fmt.Errorf("%s has ended without a line like %q; it printed:\n%s", x.name, like[0], strings.Join(x.seen, "\n"))
	}
	return nil
}

// finish waits for the present command, which ends by itself.
func (x *terminal) finish() error {
	if x.cmd == nil {
		return nil
	}
	for x.out.Scan() {
		x.seen = append(x.seen, x.out.Text())
	}
	err := x.cmd.Wait()
	x.cmd = nil
	if err != nil {
		return fmt.Errorf("%s: %w; it printed:\n%s", x.name, err, strings.Join(x.seen, "\n"))
	}
	return nil
}

// stop ends the present command and what it has started.
func (x *terminal) stop(how syscall.Signal) error {
	if x.cmd == nil {
		return nil
	}
	_ = x.in.Close()
	if err := syscall.Kill(-x.cmd.Process.Pid, how); err != nil {
		return err
	}
	for x.out.Scan() { // to the end of the last of them
	}
	_ = x.cmd.Wait() // says that it was interrupted
	x.cmd = nil
	return nil
}

func TestPlay(t *testing.T) {
	x := &terminal{t: t, name: "a", dir: t.TempDir(), env: os.Environ()}
	require.NoError(t, x.play([]string{"$ echo '12:00 it (works)'; echo more; echo two; read x; echo $x; exit 3", "two", "… it (works)",
		"> typed", "typed"}))
	require.ErrorContains(t, x.play([]string{"more"}), "it printed")
	require.ErrorContains(t, x.finish(), "exit status 3")
	require.Error(t, x.play([]string{"anything"}))
	require.NoError(t, x.play([]string{"$ echo ready; exec sleep 100", "ready", "^C"}))
	require.NoError(t, x.play([]string{"$ cat; echo end", "> first", "first", "^D"}))
	require.Error(t, x.play([]string{"> anything"}))
}
