package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/examples/internal/lines"
	"github.com/pysock/pysock/keys"
)

// chat is one person's client.
type chat struct {
	*client.Client
	people people
	room   string // where lines go, "" for nowhere
}

// join enters rooms, and does what in says until that ends.
func join(ctx context.Context, keyFile string, rooms []string, in io.Reader) error {
	id, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, "", &client.Config{Keys: id})
	if err != nil {
		return err
	}
	h := &chat{Client: c}
	h.Handle(say.Name(), h.said)
	h.Handle(whisper.Name(), h.whispered)
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) }) // stops with the client, as the next does
	for _, room := range rooms {
		err = errors.Join(err, h.enter(ctx, room))
	}
	if err == nil {
		running.Go(func() { h.watch(c.Context()) })
		err = h.converse(ctx, lines.Read(ctx, in))
	}
	err = errors.Join(err, c.Close())
	running.Wait()
	return err
}

// converse does what each line says. What is refused it prints, and goes on.
func (h *chat) converse(ctx context.Context, typed <-chan string) error {
	for {
		select {
		case line, ok := <-typed:
			if !ok {
				return nil
			}
			if err := h.obey(ctx, line); err != nil {
				fmt.Println("no:", err)
			}
		case <-h.Context().Done():
			return context.Cause(h.Context())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// said prints what somebody says in a room. Who that is is the server's word.
func (h *chat) said(_ context.Context, _ channel.Conn, m *channel.Message) error {
	text, err := say.Decode(m)
	if err != nil || m.Group == "" { // through a pipe, or from the server itself: nobody says that in a room
		return errors.Join(err, errors.New("not in a room"))
	}
	fmt.Printf("[%s] %s: %q\n", m.Group, m.From.Name, text)
	return nil
}

// whispered prints what a peer says to us alone, which the peer's key proves.
func (h *chat) whispered(_ context.Context, from channel.Conn, m *channel.Message) error {
	text, err := whisper.Decode(m)
	if _, ok := from.(*client.Pipe); err != nil || !ok {
		return errors.Join(err, errors.New("not through a pipe"))
	}
	fmt.Printf("%s, to you alone: %q\n", m.From.Name, text)
	return nil
}
