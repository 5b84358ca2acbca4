package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

// exampleClient connects, in some groups.
func exampleClient(ctx context.Context, file *keys.File, groups ...string) *client.Client {
	c, err := client.Dial(ctx, "", &client.Config{Keys: file, Groups: groups})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// Send to all others in a group. What they get says who sent it, and to which group.
func ExampleClient_Group() {
	alice, bob, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	a, b := exampleClient(ctx, alice), exampleClient(ctx, bob, "chess")
	defer a.Close()
	defer b.Close()

	if err := a.JoinGroup(ctx, "chess"); err != nil {
		log.Fatal(err)
	}
	report, err := a.Group("chess").Send(ctx, "move", []byte("e4"))
	if err == nil {
		err = report.Err() // somebody was not reached
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("reached", report.Reached)

	m, err := b.Receive(ctx, "move")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s to %s: %s\n", m.From.Name, m.Group, m.Body)
	// Output:
	// reached 1
	// alice to chess: e4
}

// Watch who comes and goes.
func ExampleClient_Presence() {
	alice, bob, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	a := exampleClient(ctx, alice)
	defer a.Close()

	var b *client.Client
	for e, err := range a.Presence(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if e.Kind == channel.Listed {
			fmt.Println("nobody else")
			b = exampleClient(ctx, bob)
			continue
		}
		fmt.Println(e.Peer.Name, e.Kind)
		switch e.Kind {
		case channel.Came:
			b.Close()
		case channel.Went:
			return
		}
	}
	// Output:
	// alice was here
	// nobody else
	// bob came
	// bob went
}

// Ask who has a name. The answer is the server's word.
func ExampleClient_Lookup() {
	alice, bob, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	a := exampleClient(ctx, alice)
	defer a.Close()

	_, err := a.Lookup(ctx, "bob")
	fmt.Println("not connected:", errors.Is(err, channel.CodeNotConnected))

	b := exampleClient(ctx, bob, "chess")
	defer b.Close()
	info, err := a.Lookup(ctx, "bob")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Name, info.State, info.Groups, info.Key == bob.Public)
	// Output:
	// not connected: true
	// bob here [chess] true
}

// Read what the server keeps of a channel, and go on with what comes.
func ExampleClient_Follow() {
	alice, bob, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	a, b := exampleClient(ctx, alice, "chess"), exampleClient(ctx, bob, "chess")
	defer a.Close()
	defer b.Close()

	chess := a.Group("chess")
	if _, err := chess.Send(ctx, "move", []byte("e4")); err != nil {
		log.Fatal(err)
	}
	for e, err := range b.Follow(ctx, "chess/move", 0) {
		var gap *client.HistoryGapError
		switch {
		case errors.As(err, &gap):
			fmt.Println(gap) // in the place of what is missing
			continue
		case err != nil:
			log.Fatal(err)
		}
		fmt.Printf("%d %s: %s\n", e.Number, e.Message.From.Name, e.Message.Body)
		if e.Number == 2 {
			break
		}
		if _, err := chess.Send(ctx, "move", []byte("e5")); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 1 alice: e4
	// 2 alice: e5
}

// Take messages of some channels in a loop.
func ExampleClient_Messages() {
	alice, _, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	c := exampleClient(ctx, alice)
	defer c.Close()
	for i := range 3 {
		if err := c.Send(ctx, "test", []byte{byte('a' + i)}); err != nil {
			log.Fatal(err)
		}
	}
	for m := range c.Messages(ctx, "test") {
		fmt.Printf("%s\n", m.Body)
		if string(m.Body) == "c" {
			break
		}
	}
	// Output:
	// a
	// b
	// c
}
