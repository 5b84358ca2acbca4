package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// exampleKey is a new identity. Real ones are made once, by pysock init or pysock-keygen, and loaded by keys.Load.
func exampleKey(name string) *keys.File {
	private, err := keys.GeneratePrivateKey()
	if err != nil {
		log.Fatal(err)
	}
	return &keys.File{Name: name, Private: private, Public: private.Public()}
}

// exampleServer runs a server that echoes the channel "test", lets everybody join groups and send
// to them, and keeps what is sent on "move" to the group "chess". It gives the key files of alice
// and bob, who know it and each other.
func exampleServer() (alice, bob *keys.File, stop func()) {
	hub, alice, bob := exampleKey("hub"), exampleKey("alice"), exampleKey("bob")
	hub.Clients = map[string]keys.PublicKey{"alice": alice.Public, "bob": bob.Public}
	alice.Peers = map[string]keys.PublicKey{"bob": bob.Public}
	bob.Peers = map[string]keys.PublicKey{"alice": alice.Public}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ref := &keys.ServerRef{Address: ln.Addr().String(), Key: hub.Public}
	alice.Server, bob.Server = ref, ref

	srv := &server.Server{
		Keys: hub, Handler: new(channel.Mux),
		AllowGroups:    func(channel.Peer, []string) error { return nil },
		AllowGroupSend: func(channel.Peer, string, *channel.Message) error { return nil },
		Histories:      map[string]*channel.History{"chess/move": channel.NewHistory(channel.HistoryConfig{Count: 100})},
	}
	srv.Handler.Handle("test", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		if m.IsRequest() {
			return m.Reply(ctx, m.Body)
		}
		return from.Send(ctx, "test", m.Body)
	})
	done := make(chan error)
	go func() { done <- srv.Serve(context.Background(), ln) }() // stops with Close
	return alice, bob, func() {
		srv.Close()
		<-done
	}
}

// Connect, send a message, and receive one.
func Example() {
	alice, _, stop := exampleServer() // keys.Load("alice.yaml")
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(ctx, "", &client.Config{Keys: alice})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Send(ctx, "test", []byte("Hello, World!")); err != nil {
		log.Fatal(err)
	}
	m, err := c.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s on %s: %s\n", m.From.Name, m.Channel, m.Body)
	// Output: server on test: Hello, World!
}

// Ask a question, and tell the ways apart in which it can go wrong.
func ExampleClient_Request() {
	alice, _, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, "", &client.Config{Keys: alice})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	answer, err := c.Request(ctx, "test", []byte("12"))
	fmt.Printf("%s %v\n", answer.Body, err)
	_, err = c.Request(ctx, "weather", nil)
	fmt.Println(errors.Is(err, channel.CodeNoHandler))
	// Output:
	// 12 <nil>
	// true
}

// Watch how a client is doing. One that loses its connection is resuming, and online again when it has another.
func ExampleClient_States() {
	alice, _, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, "", &client.Config{Keys: alice})
	if err != nil {
		log.Fatal(err)
	}
	for s := range c.States(ctx) {
		fmt.Printf("%v, session %d\n", s.Phase, s.Session)
		if s.Phase == client.Online {
			c.Close()
		}
	}
	// Output:
	// online, session 1
	// offline, session 1
}

// Ask again when the session was lost meanwhile, whatever had become of the server. With
// FailOffline set the request would return ErrOffline instead of waiting for the next session.
func ExampleClient_Request_sessionLost() {
	alice, _, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, "", &client.Config{Keys: alice})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	answer, err := c.Request(ctx, "test", []byte("12"))
	for errors.Is(err, client.ErrSessionLost) && c.Context().Err() == nil {
		answer, err = c.Request(ctx, "test", []byte("12")) // it may be handled twice
	}
	fmt.Printf("%s %v\n", answer.Body, err)
	// Output: 12 <nil>
}

// Say when the next attempt is made. A program that shows it calls this once a second.
func ExampleState() {
	status := func(s client.State, now time.Time) string {
		if left := s.RetryAt.Sub(now); left > 0 {
			return fmt.Sprintf("%v, next try in %.0f s", s.Phase, math.Ceil(left.Seconds()))
		}
		return s.Phase.String()
	}
	began := time.Now()
	s := client.State{Phase: client.Connecting, Retry: 3 * time.Second, RetryAt: began.Add(3 * time.Second)} // as c.State() gives it
	fmt.Println(status(s, began))
	fmt.Println(status(s, began.Add(1500*time.Millisecond)))
	fmt.Println(status(s, began.Add(3*time.Second)))
	// Output:
	// connecting, next try in 3 s
	// connecting, next try in 2 s
	// connecting
}

// Open a pipe to another client. The server carries it and cannot read it.
func ExampleClient_OpenPipe() {
	alice, bob, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	a, err := client.Dial(ctx, "", &client.Config{Keys: alice})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	b, err := client.Dial(ctx, "", &client.Config{Keys: bob})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	atAlice, err := a.OpenPipe(ctx, "bob")
	if err != nil {
		log.Fatal(err)
	}
	atBob, err := b.AcceptPipe(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("same safety number:", atAlice.SafetyNumber() == atBob.SafetyNumber())

	if err := atAlice.Send(ctx, "test", []byte("for bob alone")); err != nil {
		log.Fatal(err)
	}
	m, err := atBob.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", m.From.Name, m.Body)
	// Output:
	// same safety number: true
	// alice: for bob alone
}

// Send to a peer without thinking of pipes. Handlers and Run at the other end accept them.
func ExampleClient_SendTo() {
	alice, bob, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	b, err := client.Dial(ctx, "", &client.Config{Keys: bob})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	b.Handle("news", func(_ context.Context, from channel.Conn, m *channel.Message) error {
		fmt.Printf("%s: %s\n", from.Peer().Name, m.Body)
		cancel()
		return nil
	})

	a, err := client.Dial(ctx, "", &client.Config{Keys: alice})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	if err := a.SendTo(ctx, "bob", "news", []byte("it works")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(b.Run(ctx))
	// Output:
	// alice: it works
	// context canceled
}

// A stream through a pipe is a net.Conn, and Listen gives a net.Listener for those that peers open.
func ExampleClient_Listen() {
	alice, bob, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	b, err := client.Dial(ctx, "", &client.Config{Keys: bob})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	ln, err := b.Listen("time")
	if err != nil {
		log.Fatal(err)
	}

	a, err := client.Dial(ctx, "", &client.Config{Keys: alice})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	p, err := a.OpenPipe(ctx, "bob")
	if err != nil {
		log.Fatal(err)
	}
	stream, err := p.OpenStream(ctx, "time")
	if err != nil {
		log.Fatal(err)
	}

	accepted, err := ln.Accept()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("from", accepted.RemoteAddr())
	fmt.Fprint(accepted, "half past ten")
	accepted.Close()
	answer, err := io.ReadAll(stream)
	fmt.Printf("%s %v\n", answer, err)
	// Output:
	// from alice/time
	// half past ten <nil>
}
