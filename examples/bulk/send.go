package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
)

func send(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bulk send", flag.ExitOnError)
	seconds := flags.Float64("seconds", 10, "how long")
	rate := flags.Int("rate", 60, "messages a second, 1 to 10000")
	size := flags.Int("size", 500_000, "bytes of a message, at most 16 MiB")
	peer := flags.String("to", "", "the peer to send to, in place of the server")
	_ = flags.Parse(args) // exits on an error
	l := load{rate: *rate, size: *size, count: int(*seconds * float64(*rate))}
	if err := l.check(); err != nil || flags.NArg() != 1 {
		return errors.Join(err, errors.New("usage: bulk send [--seconds N] [--rate N] [--size N] [--to PEER] KEYFILE"))
	}
	c, err := dial(ctx, flags.Arg(0))
	if err != nil {
		return err
	}
	return errors.Join(sendTo(ctx, c, l, *peer), c.Close())
}

func sendTo(ctx context.Context, c *client.Client, l load, peer string) error {
	fmt.Printf("sending as %s\n", c.Name())
	var to channel.Conn = c
	if peer != "" {
		p, err := c.OpenPipe(ctx, peer)
		if err != nil {
			return err
		}
		to = p
	}
	r, err := l.send(ctx, to)
	if err != nil {
		return err
	}
	fmt.Println(r)
	fmt.Printf("memory: here %d MB", memory()/1e6)
	ends := []channel.Conn{c}
	if peer != "" {
		ends = append(ends, to)
	}
	for _, end := range ends {
		theirs, err := channel.Request[uint64, any](ctx, end, "memory", nil)
		if err != nil {
			return err
		}
		fmt.Printf(", %s %d MB", end.Peer().Name, theirs/1e6)
	}
	fmt.Println()
	return nil
}
