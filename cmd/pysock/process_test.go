package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what should happen at once.
const patience = 30 * time.Second

// process is a command that a script has started and talks with.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read it after done

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when there is another line, or no more
	lines   map[string][]string
	open    int // outputs that have not ended
}

// processes are those that a script has started, by the names that it gave them. They are a value of the script's Env.
type processes map[string]*process

type processesKey struct{}

func processOf(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processesKey{}).(processes)[name]
	if p == nil {
		ts.Fatalf("no process %q was started", name)
	}
	return p
}

// start NAME COMMAND... starts a command. Its standard input stays open until eof.
func start(ts *testscript.TestScript, _ bool, args []string) {
	path, err := lookPath(ts, args[1])
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "XDG_CONFIG_HOME=" + ts.Getenv("XDG_CONFIG_HOME"),
		"GORACE=" + ts.Getenv("GORACE"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT"), "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	p := &process{cmd: cmd, done: make(chan struct{}), changed: make(chan struct{}), lines: map[string][]string{}, open: 2}
	p.in, err = cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	errs, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var read sync.WaitGroup
	read.Go(func() { p.collect("out", out) })
	read.Go(func() { p.collect("err", errs) })
	go func() { // stops with the process, which the script's end kills
		read.Wait()
		p.err = cmd.Wait()
		close(p.done)
	}()
	ts.Value(processesKey{}).(processes)[args[0]] = p
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		<-p.done
	})
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		for _, end := range []string{"", ".exe"} {
			if info, err := os.Stat(filepath.Join(dir, name+end)); err == nil && info.Mode().IsRegular() {
				return filepath.Join(dir, name+end), nil
			}
		}
	}
	return "", exec.ErrNotFound
}

func (p *process) collect(which string, from io.Reader) {
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadString('\n')
		p.mu.Lock()
		if line != "" {
			p.lines[which] = append(p.lines[which], line)
		}
		if err != nil {
			p.open--
		}
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await NAME out|err REGEXP [VARIABLE] waits for a line that matches, and sets the variable to the first group.
func await(ts *testscript.TestScript, _ bool, args []string) {
	p := processOf(ts, args[0])
	re, err := regexp.Compile(args[2])
	ts.Check(err)
	late, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		p.mu.Lock()
		changed, open := p.changed, p.open
		for _, line := range p.lines[args[1]] {
			if m := re.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
				p.mu.Unlock()
				if len(args) > 3 {
					ts.Setenv(args[3], m[1])
				}
				return
			}
		}
		all := strings.Join(append(p.lines["out"], p.lines["err"]...), "")
		p.mu.Unlock()
		if open == 0 {
			ts.Fatalf("%s ended without a line that matches %s:\n%s", args[0], args[2], all)
		}
		select {
		case <-changed:
		case <-late.Done():
			ts.Fatalf("%s has no line that matches %s:\n%s", args[0], args[2], all)
		}
	}
}

// feed NAME TEXT writes a line to the process.
func feed(ts *testscript.TestScript, _ bool, args []string) {
	_, err := io.WriteString(processOf(ts, args[0]).in, args[1]+"\n")
	ts.Check(err)
}

// eof NAME ends the standard input of the process.
func eof(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(processOf(ts, args[0]).in.Close())
}

// signal NAME TERM|INT|HUP|KILL|STOP|CONT|USR1 sends a signal to the process, and waits until a STOP has worked.
func signalTo(ts *testscript.TestScript, _ bool, args []string) {
	p := processOf(ts, args[0])
	s, ok := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "HUP": syscall.SIGHUP, "KILL": os.Kill}[args[1]]
	if !ok {
		ts.Check(suspend(p.cmd.Process, args[1]))
		return
	}
	ts.Check(p.cmd.Process.Signal(s))
}

// finish NAME STATUS waits until the process has ended, compares its exit status, and writes what it wrote to
// NAME.out and NAME.err.
func finish(ts *testscript.TestScript, _ bool, args []string) {
	p := processOf(ts, args[0])
	late, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-p.done:
	case <-late.Done():
		ts.Fatalf("%s does not end: out %q err %q", args[0], p.lines["out"], p.lines["err"])
	}
	for _, which := range []string{"out", "err"} {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+"."+which), []byte(strings.Join(p.lines[which], "")), 0o600))
	}
	status := 0
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(p.err)
	}
	if strconv.Itoa(status) != args[1] {
		ts.Fatalf("%s ended with %d, want %s: %s", args[0], status, args[1], strings.Join(p.lines["err"], ""))
	}
}

// mute VARIABLE TEXT listens on a port of 127.0.0.1, sets the variable to its address, and says a
// text to who connects, one at a time, and no more.
func mute(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], ln.Addr().String())
	done := make(chan struct{})
	go func() { // stops when the listener is closed at the script's end
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := io.WriteString(c, args[1]); err == nil {
				_, _ = io.Copy(io.Discard, c) // what is not read would reset the connection
			}
			c.Close()
		}
	}()
	ts.Defer(func() {
		ln.Close()
		<-done
	})
}
