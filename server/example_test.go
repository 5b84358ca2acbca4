package server_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"slices"

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

// exampleListener listens on loopback and puts the address into the key file of a client.
func exampleListener(hub, alice *keys.File) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	alice.Server = &keys.ServerRef{Address: ln.Addr().String(), Key: hub.Public}
	return ln
}

// A server with two handlers, one of which answers, and a client that uses them.
func Example() {
	hub, alice := exampleKey("hub"), exampleKey("alice")
	hub.Clients = map[string]keys.PublicKey{"alice": alice.Public}

	var mux channel.Mux
	mux.Handle("test", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return from.Send(ctx, "test", m.Body)
	})
	mux.Handle("who", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return m.Reply(ctx, []byte(from.Peer().Name))
	})
	srv := &server.Server{Keys: hub, Handler: &mux}
	ctx, stop := context.WithCancel(context.Background())
	ln := exampleListener(hub, alice) // or srv.ListenAndServe(ctx, ":7700")
	served := make(chan error)
	go func() { served <- srv.Serve(ctx, ln) }()

	c, err := client.Dial(ctx, "", &client.Config{Keys: alice, NoReconnect: true}) // else it waits for the server to come back
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	answer, err := c.Request(ctx, "who", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", answer.Body)

	stop() // drains
	fmt.Println(<-served)
	<-c.Context().Done()
	fmt.Println(context.Cause(c.Context()))
	// Output:
	// alice
	// <nil>
	// the other side closed the connection: the server is shutting down
}

// A client that is taken off the list is out at once.
func ExampleServer_Reload() {
	hub, alice := exampleKey("hub"), exampleKey("alice")
	hub.Clients = map[string]keys.PublicKey{"alice": alice.Public}
	srv := &server.Server{Keys: hub}
	ln := exampleListener(hub, alice)
	served := make(chan error)
	go func() { served <- srv.Serve(context.Background(), ln) }()
	c, err := client.Dial(context.Background(), "", &client.Config{Keys: alice})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	changed := *hub // what keys.Load reads after pysock trust remove
	changed.Clients = nil
	if err := srv.Reload(&changed); err != nil {
		log.Fatal(err)
	}
	<-c.Context().Done()
	fmt.Println(context.Cause(c.Context()))
	_, err = client.Dial(context.Background(), ln.Addr().String(), &client.Config{Keys: alice})
	fmt.Println(err != nil)

	srv.Close()
	fmt.Println(<-served)
	// Output:
	// the other side closed the connection: the key was removed from the server's list
	// true
	// server: closed
}

// Limits that keep a small relay under a gigabyte, even if each of its clients abuses every limit at once.
func ExampleLimits_Memory() {
	small := server.Limits{MaxSessions: 10, MaxMessage: 64 << 10, MaxPipes: 4, PipeWindow: 64 << 10, MaxStreams: 16, StreamWindow: 64 << 10}
	fmt.Println(small.Memory() < 1<<30)
	// Output: true
}

// A chat with rooms: whoever is in a room may send to it, and read what was said there.
func ExampleServer_Group() {
	hub, alice, bob := exampleKey("hub"), exampleKey("alice"), exampleKey("bob")
	hub.Clients = map[string]keys.PublicKey{"alice": alice.Public, "bob": bob.Public}
	said := channel.NewHistory(channel.HistoryConfig{Count: 100})
	srv := &server.Server{
		Keys: hub,
		AllowGroups: func(_ channel.Peer, groups []string) error {
			if len(groups) > 1 || groups[0] != "tea" {
				return &channel.Error{Code: channel.CodeRefused, Text: "there is no such room"}
			}
			return nil
		},
		AllowGroupSend: func(from channel.Peer, group string, _ *channel.Message) error {
			if !slices.Contains(from.Groups, group) {
				return channel.CodeRefused
			}
			return nil
		},
		Histories: map[string]*channel.History{"tea/chat": said},
	}
	ctx, stop := context.WithCancel(context.Background())
	ln := exampleListener(hub, alice)
	served := make(chan error)
	go func() { served <- srv.Serve(ctx, ln) }()

	bob.Server = alice.Server
	var room []*client.Client
	for _, id := range []*keys.File{alice, bob} {
		c, err := client.Dial(ctx, "", &client.Config{Keys: id, Groups: []string{"tea"}, NoReconnect: true})
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		room = append(room, c)
	}
	report, err := room[0].Group("tea").Send(ctx, "chat", []byte("the kettle is on"))
	fmt.Println(report.Reached, err)
	m, err := room[1].Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s in %s: %s\n", m.From.Name, m.Group, m.Body)
	fmt.Println(said.Last(), "kept")
	stop()
	fmt.Println(<-served)
	// Output:
	// 1 <nil>
	// alice in tea: the kettle is on
	// 1 kept
	// <nil>
}
