//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

// fanout has the server send each message on to 100 members of a group, and prints what a delivery costs.
func fanout(ctx context.Context, out io.Writer, d time.Duration) error {
	return withClient(ctx, func(w *world, c *client.Client) error {
		const n, body = 100, 64
		got, closeAll, err := members(ctx, w, n, nil)
		if err != nil {
			return err
		}
		defer closeAll()
		return perMessage(out, w, "fan-out", body, func() (int, error) {
			sent := 0
			for end := time.Now().Add(d); time.Now().Before(end); sent++ {
				if err := c.Send(ctx, "fan", make([]byte, body)); err != nil {
					return 0, err
				}
			}
			if err := c.Flush(ctx); err != nil {
				return 0, err
			}
			return sent * n, got.wait(ctx, int64(sent*n))
		})
	})
}

// group has 5,000 members of which one stops reading, and prints how long a message takes to reach all others.
func group(ctx context.Context, out io.Writer, _ time.Duration) error {
	return withClient(ctx, func(w *world, c *client.Client) error {
		const n, messages, body = 5000, 200, 1 << 10
		deaf := &deaf{released: make(chan struct{})}
		defer close(deaf.released)
		got, closeAll, err := members(ctx, w, n, deaf)
		if err != nil {
			return err
		}
		defer closeAll()
		before, err := w.usage(true)
		if err != nil {
			return err
		}
		deaf.stopped.Store(true)
		var slowest, all time.Duration
		for i := range messages {
			begin := time.Now()
			if err := c.Send(ctx, "fan", make([]byte, body)); err != nil {
				return err
			}
			if err := got.wait(ctx, int64((i+1)*(n-1))); err != nil {
				return err
			}
			took := time.Since(begin)
			slowest, all = max(slowest, took), all+took
		}
		after, err := w.usage(true)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "group of %d\t%d\t%.0f\tms until all but one that stopped reading have it\t%.0f\tms at most\t\n",
			n, body, float64(all.Milliseconds())/messages, float64(slowest.Milliseconds()))
		fmt.Fprintf(out, "\t\t%.1f\tMiB more\t%.2f\tµs CPU each\t\n", float64(after.Memory-before.Memory)/(1<<20),
			us(after.CPU-before.CPU)/messages/n)
		return nil
	})
}

// arrivals counts what members get.
type arrivals struct {
	mu   sync.Mutex
	n    int64
	want int64
	full chan struct{}
}

func (a *arrivals) add() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	if a.full != nil && a.n >= a.want {
		close(a.full)
		a.full = nil
	}
}

// wait waits until so many have arrived in all.
func (a *arrivals) wait(ctx context.Context, n int64) error {
	a.mu.Lock()
	if a.n >= n {
		a.mu.Unlock()
		return nil
	}
	full := make(chan struct{})
	a.want, a.full = n, full
	a.mu.Unlock()
	select {
	case <-full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Minute):
		a.mu.Lock()
		defer a.mu.Unlock()
		return fmt.Errorf("%d of %d messages have arrived after a minute", a.n, n)
	}
}

// members connects n clients in the group "all", the last of them through a deaf connection if there is one.
func members(ctx context.Context, w *world, n int, last *deaf) (got *arrivals, closeAll func(), err error) {
	got = new(arrivals)
	clients, errs := make([]*client.Client, n), make([]error, n)
	closeAll = func() {
		var closing sync.WaitGroup
		for i, c := range clients {
			if c != nil && (last == nil || i < n-1) {
				closing.Go(func() { _ = c.Close() })
			}
		}
		closing.Wait()
	}
	var dialing sync.WaitGroup
	turns := make(chan struct{}, 256)
	for i := range n {
		turns <- struct{}{}
		dialing.Go(func() {
			defer func() { <-turns }()
			key, err := keys.GeneratePrivateKey()
			if err != nil {
				errs[i] = err
				return
			}
			name := fmt.Sprintf("m%d", i)
			cfg := &client.Config{
				Keys:    &keys.File{Name: name, Private: key, Public: key.Public(), Server: w.alice.Server},
				Groups:  []string{"all"},
				Timeout: time.Minute,
			}
			if last != nil && i == n-1 {
				cfg.DialContext = last.dial
			}
			if clients[i], errs[i] = client.Dial(ctx, "", cfg); errs[i] != nil {
				return
			}
			clients[i].Handle("out", func(context.Context, channel.Conn, *channel.Message) error {
				got.add()
				return nil
			})
			go clients[i].Run(ctx) // ends with the client
		})
	}
	dialing.Wait()
	for _, err := range errs {
		if err != nil {
			closeAll()
			return nil, nil, err
		}
	}
	return got, closeAll, nil
}

// deaf makes a connection that reads nothing any more once it has been told to stop.
type deaf struct {
	stopped  atomic.Bool
	released chan struct{}
}

func (d *deaf) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &deafConn{conn, d}, nil
}

type deafConn struct {
	net.Conn
	d *deaf
}

func (c *deafConn) Read(p []byte) (int, error) {
	if c.d.stopped.Load() {
		<-c.d.released
	}
	return c.Conn.Read(p)
}
