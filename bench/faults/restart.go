//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// backWithin is how long all clients may take to come back, from when the server is started again.
const backWithin = 30 * time.Second

// restart ends the server under many clients, once with a warning and once without, and starts it again.
func restart(ctx context.Context, r *rig) error {
	address, err := freePort()
	if err != nil {
		return err
	}
	all, err := newCrowd(r.clients, address, r.keys("crowd"))
	if err != nil {
		return err
	}
	defer all.close()
	server, err := r.serveOn(ctx, nil, address, r.keys("crowd"))
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := all.dial(ctx); err != nil {
		return err
	}
	r.row("clients", "%d, connected in %.1f s", r.clients, time.Since(begin).Seconds())
	for i, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		b := &comeback{r: r, crowd: all, address: address, session: i + 2, signal: s}
		if server, err = b.measure(ctx, server); err != nil {
			return fmt.Errorf("%s: %w", b.name(), err)
		}
	}
	return nil
}

// comeback is one restart.
type comeback struct {
	r       *rig
	crowd   *crowd
	address string
	session int // that the clients will have then
	signal  syscall.Signal
}

func (b *comeback) name() string {
	return map[syscall.Signal]string{syscall.SIGTERM: "SIGTERM", syscall.SIGKILL: "SIGKILL"}[b.signal]
}

// measure ends the server and returns the one that was started in its place.
func (b *comeback) measure(ctx context.Context, server *process) (*process, error) {
	before, err := readListenTrouble()
	if err != nil {
		return nil, err
	}
	own, err := cpuTime(os.Getpid())
	if err != nil {
		return nil, err
	}
	told := time.Now()
	if err := server.signal(b.signal); err != nil {
		return nil, err
	}
	if err := server.wait(ctx); err != nil {
		return nil, err
	}
	started := time.Now() // this process is busy: that the server listens it may notice only after the first are back
	if server, err = b.r.serveOn(ctx, nil, b.address, b.r.keys("crowd")); err != nil {
		return nil, err
	}
	times, err := b.crowd.back(ctx, b.session)
	if err != nil {
		return nil, err
	}
	used, err := cpuTime(server.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	ownNow, err := cpuTime(os.Getpid())
	if err != nil {
		return nil, err
	}
	after, err := readListenTrouble()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(times, time.Time.Compare)
	b.judge(told, started, times)
	r, n := b.r, float64(len(times))
	r.row("  CPU", "server %.2f s (%.2f ms a client), clients %.2f s", used.Seconds(), used.Seconds()*1e3/n,
		(ownNow - own).Seconds())
	r.row("  accept queue", "overflows %d, drops %d", after.overflows-before.overflows, after.drops-before.drops)
	r.row("  VmHWM", "server %s", mib(server.peak.Load()))
	r.expect(after == before, "%s: the accept queue has overflowed", b.name())
	return server, nil
}

// judge tells when the clients were back, the first first.
func (b *comeback) judge(told, started time.Time, times []time.Time) {
	first, half, last := times[0].Sub(started), times[len(times)/2].Sub(started), times[len(times)-1].Sub(started)
	b.r.row(b.name(), "the server had ended after %.1f s and was started again", started.Sub(told).Seconds())
	b.r.row("  back after the start", "first %.2f s, half %.2f s, all %.2f s", first.Seconds(), half.Seconds(),
		last.Seconds())
	b.r.row("  back after the signal", "all %.2f s", times[len(times)-1].Sub(told).Seconds())
	b.r.row("  handshakes", "%.0f/s from the first to the last", float64(len(times))/(last-first).Seconds())
	b.r.expect(last <= backWithin, "%s: all were back only after %.1f s", b.name(), last.Seconds())
}
