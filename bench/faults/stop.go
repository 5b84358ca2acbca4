//go:build linux

package main

import (
	"context"
	"syscall"
	"time"
)

// stop sends lines while the server's process does not run for a time.
func stop(ctx context.Context, r *rig) error {
	server, err := r.serveOn(ctx, nil, "127.0.0.1:0", r.keys("server"))
	if err != nil {
		return err
	}
	t := &transfer{r: r, server: server}
	if err := t.begin(ctx, server.after, server.after); err != nil {
		return err
	}
	if err := t.middle(ctx); err != nil {
		return err
	}
	if err := server.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, r.stopped)
	r.row("server stopped", "%v, after %d lines", r.stopped, t.arrivals.count())
	if err := server.signal(syscall.SIGCONT); err != nil {
		return err
	}
	return t.finish(ctx)
}

// pause lets time pass.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
