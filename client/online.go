package client

import (
	"context"
	"errors"
	"sync"
)

// ErrOffline is returned, with Config.FailOffline, by calls that would have to wait for a
// connection that is lost, or that waited for something when it was. It says that there is no
// connection now; another may come. The phase Offline is something else: it is of a client that has
// ended.
var ErrOffline = errors.New("there is no connection at the moment")

// online says whether there is a connection. The zero value says that there is none.
type online struct {
	mu     sync.Mutex
	here   bool
	come   chan struct{} // closed when there is one; nil while nobody waits
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// gone is what calls may take while there is no connection: links serve what need not wait even if ctx is done.
var gone = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrOffline)
	return ctx
}()

func (p *online) set(here bool) { p.check(func() bool { return here }) }

// check asks whether there is a connection, and nobody else does meanwhile.
func (p *online) check(now func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	here := now()
	switch {
	case here == p.here:
	case here:
		p.ctx, p.cancel = context.WithCancelCause(context.Background())
		if p.come != nil {
			close(p.come)
			p.come = nil
		}
	default:
		p.cancel(ErrOffline)
		p.ctx, p.cancel = nil, nil
	}
	p.here = here
}

// context is done, with ErrOffline as its cause, while or as soon as there is no connection.
func (p *online) context() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.here {
		return p.ctx
	}
	return gone
}

// await waits until there is a connection, or for the end of one of two contexts.
func (p *online) await(ctx, life context.Context) error {
	for {
		p.mu.Lock()
		if p.here {
			p.mu.Unlock()
			return nil
		}
		if p.come == nil {
			p.come = make(chan struct{})
		}
		come := p.come
		p.mu.Unlock()
		select {
		case <-come:
		case <-ctx.Done():
			if life.Err() != nil {
				return context.Cause(life) // why the client ended says more
			}
			return context.Cause(ctx)
		case <-life.Done():
			return context.Cause(life)
		}
	}
}

func nothing() {}

// bound gives a call's ctx an end when one of the connections that it needs is lost. The function
// that comes with it frees what it took.
func bound(ctx context.Context, needs ...*online) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stops := make([]func() bool, len(needs))
	for i, p := range needs {
		c := p.context()
		if c == gone {
			cancel(ErrOffline) // AfterFunc would do it a moment later
		}
		stops[i] = context.AfterFunc(c, func() { cancel(ErrOffline) })
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel(nil)
	}
}
