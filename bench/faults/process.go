//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// command says how to start pysock.
type command struct {
	name  string // in the report
	host  *host  // where; nil for here
	args  []string
	ready string            // what a line of its output, of either kind, begins with when it is ready; "" for at once
	line  func(text []byte) // gets each line of standard output; nil if nobody wants them
	stdin bool
}

// process is a pysock that was started.
type process struct {
	name  string
	host  *host // where it runs; nil for here
	stdin io.WriteCloser
	after string // what came after ready in its line

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all its output is read
	peak atomic.Int64  // VmHWM, in bytes

	mu    sync.Mutex
	notes []string // the last lines of standard error
}

// start starts pysock and waits until it is ready. The process goes with the rig, and with this
// process however that ends.
func (r *rig) start(ctx context.Context, c *command) (*process, error) {
	argv := append(c.host.enter(), append([]string{r.binary()}, c.args...)...)
	p := &process{name: c.name, host: c.host, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	// A group of its own: an interrupt of the terminal is for us, and we end it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	notes, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if c.stdin {
		if p.stdin, err = p.cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", c.name, err)
	}
	r.started = append(r.started, p)
	ready := make(chan string, 1)
	look := func(text []byte) {
		if rest, ok := bytes.CutPrefix(text, []byte(c.ready)); ok {
			select {
			case ready <- string(rest):
			default:
			}
		}
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		eachLine(out, func(text []byte) {
			look(text)
			if c.line != nil {
				c.line(text)
			}
		})
	})
	reading.Go(func() { eachLine(notes, func(text []byte) { look(text); p.note(text) }) })
	go func() { // stops with the process
		reading.Wait()
		_ = p.cmd.Wait() // the exit status says it
		close(p.done)
	}()
	go p.watch() // stops with the process
	if c.ready == "" {
		return p, nil
	}
	select {
	case p.after = <-ready:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("the %s has ended: %s", p.name, p.outcome())
	case <-ctx.Done():
		return nil, fmt.Errorf("the %s is not ready: %w", p.name, context.Cause(ctx))
	}
}

// eachLine calls do with each line, without its end, until there are no more. do must not keep it.
func eachLine(from io.Reader, do func(text []byte)) {
	r := bufio.NewReaderSize(from, 256<<10)
	for {
		text, err := r.ReadSlice('\n')
		if len(text) > 0 {
			do(bytes.TrimSuffix(text, []byte("\n")))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// note keeps a line of standard error.
func (p *process) note(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.notes) >= 20 {
		p.notes = slices.Delete(p.notes, 0, 1)
	}
	p.notes = append(p.notes, string(text))
}

// message is the last line of standard error.
func (p *process) message() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.notes) == 0 {
		return ""
	}
	return p.notes[len(p.notes)-1]
}

// watch notes the most memory that the process has had. It is gone when the process has ended.
func (p *process) watch() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if n, err := peakMemory(p.cmd.Process.Pid); err == nil {
			p.peak.Store(max(n, p.peak.Load()))
		}
		select {
		case <-tick.C:
		case <-p.done:
			return
		}
	}
}

func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("the %s has ended: %s", p.name, p.outcome())
	}
	return nil
}

// wait waits until the process has ended.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the %s does not end: %w", p.name, context.Cause(ctx))
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// code is the exit status of a process that has ended, -1 if a signal ended it.
func (p *process) code() int {
	if !p.ended() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// outcome is how the process ended, for people.
func (p *process) outcome() string {
	if !p.ended() {
		return "still there"
	}
	status := p.cmd.ProcessState.String()
	if message := p.message(); p.code() != 0 && message != "" {
		status += ": " + strings.ToValidUTF8(message, "?")
	}
	return status
}

// kill ends the process, if it has not ended, and waits for it.
func (p *process) kill() {
	if p.stdin != nil {
		p.stdin.Close()
	}
	_ = p.cmd.Process.Kill() // it has ended already, if this fails
	<-p.done
}
