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
// A closed server, the default, lets in the keys of its key file's clients, each under the name
// that stands there. An open server (open: true in the key file) also lets in any other key, under
// the name that it asks for and that nobody had before: see [Server.Names]. A client that connects
// again replaces its older session.
//
// # Away and left
//
// A [Session] is not a connection: when a client's connection is lost it is away, and its session
// goes on when it comes back, for [Server.Grace] at most. Nothing is lost or doubled by that, and
// pipes stay. It has left when its session has ended.
//
// # Names, groups and all at once
//
// A client may be in groups, and have another name for the rest of its session, if the
// application's policies allow it: [Server.AllowGroups], [Server.AllowRename] and what follows
// them. Without a policy nobody may. The application may do the same to any session:
// [Session.Rename], [Session.JoinGroup]. What a session is now says [Session.Peer], to the client
// its own Name and Groups; hooks such as [Server.OnJoin] tell the application of changes.
//
//	report, err := srv.Broadcast(ctx, "news", []byte("tea is ready"))
//	report, err = srv.Group("blue").Send(ctx, "news", []byte("your turn"))
//
// A report says whom that did not reach. A client that does not take what is sent to it keeps such
// a call, and with it the others, waiting once [Limits].SendQueue bytes wait for it, for at most
// [Server.SlowTimeout] in all; then its session ends. [Server.TryBroadcast] and [Group.TrySend]
// wait for nobody, and who sends to one client never waits for another. Clients look each other up,
// follow who is here, and read [Server.Histories], as far as [Server.AllowSee] and
// [Server.AllowHistory] let them.
//
// # Limits
//
// [Limits] bounds what clients can make the server hold; [Limits.Memory] computes the most that can be.
//
// # What to watch
//
// [Server.Stats] is what there is for metrics: sessions, pipes and handshakes there are now, and
// counters of what began, failed, was refused or went on. [Session.Stats] has the same of one
// client. Panics, errors of handlers and failures to accept go to [Server.Logger]; who comes and goes
// is told to hooks such as [Server.OnJoin] only.
package server
