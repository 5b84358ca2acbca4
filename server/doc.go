// Package server is a PySock server: it lets clients in by their keys, calls
// handlers for what they send, and carries the pipes between them, which it cannot read.
//
//	id, err := keys.Load("server.yaml")
//	var mux channel.Mux
//	mux.Handle("test", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
//		return from.Send(ctx, "test", m.Body)
//	})
//	srv := &server.Server{Keys: id, Handler: &mux}
//	err = srv.ListenAndServe(ctx, ":7700") // until ctx ends
//
// # Who gets in
//
// A closed server, the default, lets in the keys of its key file's clients, each under the name that stands there.
// An open server (open: true in the key file) also lets in any other key, under the name that it asks for and that nobody
// had before: see [Server.Names]. A client that connects again replaces its older session.
//
// # Away and left
//
// A [Session] is not a connection: when a client's connection is lost it is away, and its session goes on when it comes back, for [Server.Grace] at most. Nothing is lost or doubled by
// that, and pipes stay. It has left when its session has ended.
//
// # Limits
//
// [Limits] bounds what clients can make the server hold; [Limits.Memory] computes the most that can be.
package server
