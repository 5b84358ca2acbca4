package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// serve serves until ctx ends.
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
	srv := &server.Server{Keys: id, Handler: new(channel.Mux)}
	srv.OnJoin = func(s *server.Session) {
		announce(ctx, srv, s.Peer().Name+" has joined")
		if err := hello.Send(s.Context(), s, time.Now()); err != nil {
			fmt.Printf("%s left before the greeting: %v\n", s.Peer().Name, err)
		}
	}
	srv.OnLeave = func(s *server.Session, _ error) { announce(ctx, srv, s.Peer().Name+" has left") }
	channel.Respond(srv.Handler, "compute", func(_ context.Context, from channel.Conn, text string) (float64, error) {
		v, err := evaluate(text)
		if err != nil {
			fmt.Printf("%s asks for %q: %v\n", from.Peer().Name, text, err)
			return 0, &channel.Error{Code: channel.CodeBadMessage, Text: err.Error()}
		}
		fmt.Printf("%s asks for %q: %v\n", from.Peer().Name, text, v)
		return v, nil
	})
	return srv.Serve(ctx, ln)
}

// announce tells everybody who is there.
func announce(ctx context.Context, srv *server.Server, text string) {
	fmt.Println(text)
	m, err := news.Message(text)
	if err == nil {
		_, err = srv.BroadcastMessage(ctx, m) // waits for nobody longer than srv.SlowTimeout
	}
	if err != nil {
		fmt.Println("not announced:", err)
	}
}
