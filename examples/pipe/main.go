// Pipe is the encrypted connection between two clients that PySock's README
// promises. One waits, the other opens a pipe to it and says hello; the server in between
// carries both directions and can read neither.
//
//	pipe bob.yaml          waits
//	pipe alice.yaml bob    opens
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		log.Fatal("usage: pipe KEYFILE [PEER]")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, keyFile string, peer []string) error {
	id, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, "", &client.Config{Keys: id})
	if err != nil {
		return err
	}
	if len(peer) == 0 {
		fmt.Println("connected as", c.Name())
		err = wait(ctx, c)
	} else {
		err = open(ctx, c, peer[0])
	}
	return errors.Join(err, c.Close())
}

// wait takes the first pipe that a peer of the key file opens, and sends back what comes through it.
func wait(ctx context.Context, c *client.Client) error {
	p, err := c.AcceptPipe(ctx)
	if err != nil {
		return err
	}
	show(p)
	m, err := p.Receive(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s says %q\n", m.From.Name, m.Body)
	if err := p.Send(ctx, m.Channel, m.Body); err != nil {
		return err
	}
	return p.Flush(ctx) // before the pipe is closed, the peer has taken it
}

// open opens a pipe to a peer of the key file, and waits for what it says back.
func open(ctx context.Context, c *client.Client, peer string) error {
	p, err := c.OpenPipe(ctx, peer)
	if err != nil {
		return err
	}
	show(p)
	if err := p.Send(ctx, "test", []byte("Hello, "+peer+"!")); err != nil {
		return err
	}
	m, err := p.Receive(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s says %q\n", m.From.Name, m.Body)
	return p.Close()
}

// show prints what both people can compare, to know that nobody is between them.
func show(p *client.Pipe) {
	fmt.Printf("pipe with %s, safety number %s\n", p.Peer().Name, p.SafetyNumber())
}
