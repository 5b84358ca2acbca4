// Bulk is HiSock's example of large load: messages of 500 kB, 60 of them a second, to the server
// or, through an encrypted pipe, to another client. It tells at what rate they were taken, how
// late, and what memory everybody needed.
//
//	bulk serve server.yaml
//	bulk receive bob.yaml
//	bulk send --seconds 10 alice.yaml              to the server
//	bulk send --seconds 10 --to bob alice.yaml     to bob
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := errors.New("usage: bulk serve|receive|send [FLAGS] KEYFILE")
	if len(os.Args) > 2 {
		switch args := os.Args[2:]; os.Args[1] {
		case "serve":
			err = serve(ctx, args[0])
		case "receive":
			err = receive(ctx, args[0])
		case "send":
			err = send(ctx, args)
		}
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// handlers take the load and tell what memory that needs. They are the same in a server and in a
// client that others have pipes to.
func handlers() *channel.Mux {
	mux := new(channel.Mux)
	mux.Handle("load", func(context.Context, channel.Conn, *channel.Message) error { return nil })
	channel.Respond(mux, "memory", func(context.Context, channel.Conn, any) (uint64, error) { return memory(), nil })
	return mux
}

// memory is how many bytes this process got from its operating system. It does not become less.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

func serve(ctx context.Context, keyFile string) error {
	id, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", id.Listen)
	if err != nil {
		return err
	}
	fmt.Println("listening on", ln.Addr())
	return (&server.Server{Keys: id, Handler: handlers()}).Serve(ctx, ln)
}

func receive(ctx context.Context, keyFile string) error {
	c, err := dial(ctx, keyFile)
	if err != nil {
		return err
	}
	fmt.Println("receiving as", c.Name())
	err = c.Run(ctx)
	return errors.Join(err, c.Close())
}

func dial(ctx context.Context, keyFile string) (*client.Client, error) {
	id, err := keys.Load(keyFile)
	if err != nil {
		return nil, err
	}
	return client.Dial(ctx, "", &client.Config{Keys: id, Handler: handlers()})
}
