// Reconnect is a client that goes on when its server is started again, or when another of the
// server's addresses takes over. It sends its arguments on the channel "test", and tells what
// becomes of the connection. What the server is not known to have taken it sends again, which is a
// choice: another application would tell its user, or set client.Config.Delivery to AtLeastOnce and
// leave it to the client.
//
//	reconnect alice.yaml one two three
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: reconnect KEYFILE TEXT...")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, keyFile string, texts []string) error {
	id, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, "", &client.Config{Keys: id})
	if err != nil {
		return err
	}
	var showing sync.WaitGroup
	showing.Go(func() { show(ctx, c) }) // stops when the client has ended
	err = deliver(ctx, c, texts)
	err = errors.Join(err, c.Close())
	showing.Wait()
	return err
}

// show prints what becomes of the connection.
func show(ctx context.Context, c *client.Client) {
	for s := range c.States(ctx) {
		fmt.Printf("state: %v, session %d\n", s.Phase, s.Session)
	}
}

// deliver sends texts, and again what is not known to have been taken when a session is lost: what
// the server took and could not report comes twice. It returns when the server's application has
// taken them all.
func deliver(ctx context.Context, c *client.Client, texts []string) error {
	var taken uint64
	for {
		err := send(ctx, c, texts)
		var gap *channel.GapError
		if !errors.As(err, &gap) || c.Context().Err() != nil {
			return err
		}
		fmt.Printf("a session was lost: %d of %d messages are known to have been taken\n", gap.Taken, gap.Sent)
		texts, taken = texts[gap.Taken-taken:], gap.Taken // the numbers go on through all sessions
	}
}

// send sends texts and waits until they are taken.
func send(ctx context.Context, c *client.Client, texts []string) error {
	for _, text := range texts {
		if err := c.Send(ctx, "test", []byte(text)); err != nil {
			return err
		}
	}
	fmt.Println("sent:", len(texts))
	return c.Flush(ctx)
}
