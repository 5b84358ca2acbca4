//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
)

// measures are the rows. Each starts a server of its own.
var measures = map[string]func(context.Context, io.Writer, time.Duration) error{
	"ingest":    ingest,
	"relay":     relay,
	"echo":      echo,
	"handshake": handshake,
	"idle":      idle,
	"burst":     burst,
	"fanout":    fanout,
	"group":     group,
}

var sizes = []int{64, 1 << 10, 64 << 10}

// ingest sends messages that the server's handler drops.
func ingest(ctx context.Context, out io.Writer, d time.Duration) error {
	for _, size := range sizes {
		err := withClient(ctx, func(w *world, c *client.Client) error {
			return stream(ctx, out, w, "ingest", c, "sink", size, d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// relay sends messages through a pipe that the server carries.
func relay(ctx context.Context, out io.Writer, d time.Duration) error {
	for _, size := range sizes {
		err := withClient(ctx, func(w *world, alice *client.Client) error {
			bob, err := client.Dial(ctx, "", &client.Config{Keys: w.bob})
			if err != nil {
				return err
			}
			defer bob.Close()
			bob.Handle("sink", func(context.Context, channel.Conn, *channel.Message) error { return nil })
			go bob.Run(ctx) // ends with bob
			p, err := alice.OpenPipe(ctx, "bob")
			if err != nil {
				return err
			}
			return stream(ctx, out, w, "relay", p, "sink", size, d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// echo asks and waits, and reports the median of the times.
func echo(ctx context.Context, out io.Writer, d time.Duration) error {
	return withClient(ctx, func(w *world, c *client.Client) error {
		var times []time.Duration
		body := make([]byte, 64)
		for end := time.Now().Add(d); time.Now().Before(end); {
			begin := time.Now()
			if _, err := c.Request(ctx, "echo", body); err != nil {
				return err
			}
			times = append(times, time.Since(begin))
		}
		slices.Sort(times)
		p50, p99 := times[len(times)/2], times[len(times)*99/100]
		fmt.Fprintf(out, "echo\t64\t%.1f\tµs p50\t%.1f\tµs p99\t\n", us(p50), us(p99))
		return nil
	})
}

// handshake connects and hangs up, one after another.
func handshake(ctx context.Context, out io.Writer, d time.Duration) error {
	return withClient(ctx, func(w *world, _ *client.Client) error {
		return perMessage(out, w, "handshake", 0, func() (n int, err error) {
			for end := time.Now().Add(d); time.Now().Before(end); n++ {
				c, err := client.Dial(ctx, "", &client.Config{Keys: w.alice, Transient: true})
				if err != nil {
					return n, err
				}
				if err := c.Close(); err != nil {
					return n, err
				}
			}
			return n, nil
		})
	})
}

// idle connects clients that do nothing.
func idle(ctx context.Context, out io.Writer, _ time.Duration) error {
	return withClient(ctx, func(w *world, _ *client.Client) error {
		const n = 1000
		before, err := w.usage(true)
		if err != nil {
			return err
		}
		for range n {
			c, err := client.Dial(ctx, "", &client.Config{Keys: w.alice, Transient: true})
			if err != nil {
				return err
			}
			defer c.Close()
		}
		after, err := w.usage(true)
		if err != nil {
			return err
		}
		const rest = 20 * time.Second // some of the clients ask for a sign of life meanwhile
		time.Sleep(rest)
		rested, err := w.usage(false)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "idle\t\t%.1f\tKiB/connection\t%.2f\t%% of a core for %d\t\n",
			float64(after.Memory-before.Memory)/n/1024,
			100*float64(rested.CPU-after.CPU)/float64(rest), n)
		return nil
	})
}

// burst connects many clients at the same time.
func burst(ctx context.Context, out io.Writer, _ time.Duration) error {
	return withClient(ctx, func(w *world, _ *client.Client) error {
		const n = 5000
		clients := make([]*client.Client, n)
		errs := make([]error, n)
		var dialing sync.WaitGroup
		begin := time.Now()
		for i := range n {
			dialing.Go(func() {
				cfg := &client.Config{Keys: w.alice, Transient: true, Timeout: time.Minute}
				clients[i], errs[i] = client.Dial(ctx, "", cfg)
			})
		}
		dialing.Wait()
		took := time.Since(begin)
		failed := 0
		for i, c := range clients {
			if errs[i] != nil {
				failed++
				continue
			}
			defer c.Close()
		}
		fmt.Fprintf(out, "burst of %d\t\t%.2f\ts until all are in\t%d\tfailed\t\n", n, took.Seconds(), failed)
		return nil
	})
}

func withClient(ctx context.Context, do func(*world, *client.Client) error) error {
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	c, err := client.Dial(ctx, "", &client.Config{Keys: w.alice})
	if err != nil {
		return err
	}
	defer c.Close()
	return do(w, c)
}

// stream sends as many messages as it can, and waits until the last was taken.
func stream(ctx context.Context, out io.Writer, w *world, row string, to channel.Conn, name string, size int,
	d time.Duration) error {
	body := make([]byte, size)
	send := func(d time.Duration) (n int, err error) {
		for end := time.Now().Add(d); time.Now().Before(end); {
			for range 1 + 4096/(size/64) {
				if err := to.Send(ctx, name, body); err != nil {
					return n, err
				}
				n++
			}
		}
		return n, to.Flush(ctx)
	}
	if _, err := send(d / 10); err != nil { // windows open
		return err
	}
	return perMessage(out, w, row, size, func() (int, error) { return send(d) })
}

// perMessage prints what the server used for each of the messages that do has sent.
func perMessage(out io.Writer, w *world, row string, size int, do func() (int, error)) error {
	before, err := w.usage(false)
	if err != nil {
		return err
	}
	begin := time.Now()
	n, err := do()
	if err != nil {
		return err
	}
	took := time.Since(begin)
	after, err := w.usage(false)
	if err != nil {
		return err
	}
	cpu := float64(after.CPU-before.CPU) / float64(n)
	fmt.Fprintf(out, "%s\t%d\t%.3f\tµs CPU\t%.0f\t/s\t\n", row, size, cpu/1e3, float64(n)/took.Seconds())
	return nil
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
