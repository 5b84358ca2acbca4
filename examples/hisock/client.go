package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/examples/internal/lines"
	"github.com/pysock/pysock/keys"
)

// join has the server compute each line of in, and prints what it says meanwhile.
func join(ctx context.Context, keyFile string, in io.Reader) error {
	id, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	began := time.Now()
	c, err := client.Dial(ctx, "", &client.Config{Keys: id, NoPipes: true})
	if err != nil {
		return err
	}
	hello.Handle(c, func(_ context.Context, _ channel.Conn, sent time.Time) error {
		fmt.Printf("The server says hello, just for me, %v after I came.\n", sent.Sub(began).Round(time.Microsecond))
		return nil
	})
	news.Handle(c, func(_ context.Context, _ channel.Conn, text string) error {
		fmt.Printf("The server says %q.\n", text)
		return nil
	})
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) }) // stops with the client
	err = compute(ctx, c, lines.Read(ctx, in))
	err = errors.Join(err, c.Close())
	running.Wait()
	return err
}

// compute asks for the value of each line.
func compute(ctx context.Context, c *client.Client, typed <-chan string) error {
	for {
		select {
		case text, ok := <-typed:
			if !ok {
				return nil
			}
			if err := ask(ctx, c, text); err != nil {
				return err
			}
		case <-c.Context().Done():
			return context.Cause(c.Context())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ask prints the value of an expression, or why it has none.
func ask(ctx context.Context, c *client.Client, text string) error {
	v, err := channel.Request[float64](ctx, c, "compute", text)
	var refused *channel.Error
	switch {
	case errors.As(err, &refused):
		fmt.Printf("No result: %q\n", refused.Text)
	case err != nil:
		return err
	default:
		fmt.Printf("%q is %v.\n", text, v)
	}
	return nil
}
