package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// cutter stands between clients and a server and cuts their connections.
type cutter struct {
	ln net.Listener
	to string
	wg sync.WaitGroup

	mu     sync.Mutex
	closed bool // lets nobody through
	conns  map[net.Conn]struct{}
}

type cuttersKey struct{}

// proxy NAME VARIABLE ADDRESS listens on a port of 127.0.0.1, sets the variable to its address, and
// carries connections to another until the script's end.
func proxy(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	c := &cutter{ln: ln, to: args[2], conns: map[net.Conn]struct{}{}}
	ts.Value(cuttersKey{}).(map[string]*cutter)[args[0]] = c
	ts.Setenv(args[1], ln.Addr().String())
	c.wg.Go(c.accept)
	ts.Defer(func() {
		ln.Close()
		c.cut(true)
		c.wg.Wait()
	})
}

// cut NAME [down|up] cuts the connections of a proxy: those that there are; with down, those that
// come later too, until up.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	c := ts.Value(cuttersKey{}).(map[string]*cutter)[args[0]]
	c.cut(len(args) > 1 && args[1] == "down")
}

func (c *cutter) accept() {
	for {
		near, err := c.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil {
			near.Close()
			continue
		}
		c.mu.Lock()
		if c.closed {
			near.Close()
			far.Close()
		} else {
			c.conns[near], c.conns[far] = struct{}{}, struct{}{}
			c.wg.Go(func() { carry(near, far) }) // these stop when either end closes, or with cut
			c.wg.Go(func() { carry(far, near) })
		}
		c.mu.Unlock()
	}
}

func carry(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
}

func (c *cutter) cut(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = down
	for conn := range c.conns {
		conn.Close()
	}
	clear(c.conns)
}

// flood NAME N PREFIX begins to write the lines PREFIX1 to PREFIXN to the process, and then ends its standard input.
func flood(ts *testscript.TestScript, _ bool, args []string) {
	p := processOf(ts, args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "%s%d\n", args[2], i+1)
	}
	written := make(chan struct{})
	go func() { // stops when all is written, or the process has ended
		defer close(written)
		_, _ = p.in.Write(b.Bytes())
		p.in.Close()
	}()
	ts.Defer(func() {
		_ = p.cmd.Process.Kill()
		<-written
	})
}

var knownLines = regexp.MustCompile(`\((\d+) of (\d+) lines are known to have been taken`)

// known SENDER RECEIVER PREFIX compares what a process that has finished said was known to have
// been taken with what the other, which has finished too, has printed: the lines PREFIX1, PREFIX2
// and so on, each once, of which some were known, and none that was not printed.
func known(ts *testscript.TestScript, _ bool, args []string) {
	m := knownLines.FindStringSubmatch(ts.ReadFile(args[0] + ".err"))
	if m == nil {
		ts.Fatalf("%s did not say what is known", args[0])
	}
	taken, _ := strconv.Atoi(m[1])
	sent, _ := strconv.Atoi(m[2])
	printed := 0
	for line := range strings.Lines(ts.ReadFile(args[1] + ".out")) {
		printed++
		if line != fmt.Sprintf("%s%d\n", args[2], printed) {
			ts.Fatalf("line %d is %q", printed, line)
		}
	}
	if taken < 1 || taken > printed || printed > sent {
		ts.Fatalf("%d of %d lines are said to be taken, and %d were printed", taken, sent, printed)
	}
}
