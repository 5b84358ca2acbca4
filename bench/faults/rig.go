//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// rig is what a scenario works with: the binaries, key files of a server, alice and bob, and the
// processes that it has started.
type rig struct {
	*options
	report
	dir     string // its own; goes with it
	rand    *rand.Rand
	started []*process
}

// newRig builds the binaries and makes keys. A rig comes with every error, to be closed.
func newRig(ctx context.Context, o *options) (r *rig, err error) {
	r = &rig{options: o, rand: rand.New(rand.NewPCG(o.seed, 0))}
	r.row("seed", "%d", o.seed)
	if r.dir, err = os.MkdirTemp("", "pysock-faults-"); err != nil {
		return r, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", r.dir+"/", "./cmd/pysock",
		"./cmd/pysock-keygen")
	build.Dir = o.source
	if out, err := build.CombinedOutput(); err != nil {
		return r, fmt.Errorf("building the binaries: %w: %s", err, out)
	}
	init := exec.CommandContext(ctx, r.binary(), "init", "--dir", r.keys(""), "alice", "bob")
	if out, err := init.CombinedOutput(); err != nil {
		return r, fmt.Errorf("pysock init: %w: %s", err, out)
	}
	return r, nil
}

func (r *rig) binary() string { return filepath.Join(r.dir, "pysock") }

// keys is the path of a key file.
func (r *rig) keys(name string) string {
	if name != "" {
		name += ".yaml"
	}
	return filepath.Join(r.dir, "keys", name)
}

// close ends what was started, the last first, and removes the folder.
func (r *rig) close() {
	for _, p := range slices.Backward(r.started) {
		p.kill()
	}
	if r.dir != "" {
		os.RemoveAll(r.dir)
	}
}

// serveOn starts a server with a key file.
func (r *rig) serveOn(ctx context.Context, h *host, address, keyFile string) (*process, error) {
	args := append([]string{"serve", "--keys", keyFile, "--listen", address}, r.serve...)
	return r.start(ctx, &command{name: "server", host: h, args: args, ready: "listening on "})
}

// listenAt starts the listener, bob, and returns when it is connected. Its lines go to a.
func (r *rig) listenAt(ctx context.Context, h *host, address string, a *arrivals, more ...string) (*process, error) {
	args := slices.Concat([]string{"listen", "--keys", r.keys("bob"), "--server", address, "--channel", "x"}, more,
		r.listen)
	return r.start(ctx, &command{name: "listener", host: h, args: args, ready: "connected", line: a.line})
}

// sendTo starts the sender, alice, which sends bob the lines of its input.
func (r *rig) sendTo(ctx context.Context, h *host, address string, more ...string) (*process, error) {
	args := slices.Concat([]string{"send", "--keys", r.keys("alice"), "--server", address, "--to", "bob", "--channel",
		"x"}, more, r.send, []string{"-"})
	return r.start(ctx, &command{name: "sender", host: h, args: args, stdin: true})
}

// feed is the lines that the flags ask for.
func (r *rig) feed() *feed { return &feed{first: 1, last: r.lines, size: r.size, over: r.over} }

// freePort is an address on loopback that a server can listen on, and on again after a restart: it
// is below the ports that the kernel gives to who connects. One of those may be given to a client
// that tries to reach it, which then has reached itself and keeps the server out.
func freePort() (string, error) {
	var err error
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(20_000)))
		var ln net.Listener
		if ln, err = net.Listen("tcp", address); err == nil {
			return address, ln.Close()
		}
	}
	return "", err
}
