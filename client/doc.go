// Package client connects to a PySock server.
//
// [Dial] proves who the client is with the private key of its key file, checks
// that the server is the one it expects, and returns a [Client], which is a [channel.Conn]:
//
//	id, err := keys.Load("alice.yaml")
//	c, err := client.Dial(ctx, "", &client.Config{Keys: id})
//	defer c.Close()
//	err = c.Send(ctx, "test", []byte("Hello, World!"))
//	m, err := c.Receive(ctx)
//
// Messages are taken with [Client.Receive], by a loop over [Client.Messages], or by handlers:
//
//	c.Handle("test", func(ctx context.Context, from channel.Conn, m *channel.Message) error { … })
//	err = c.Run(ctx)
//
// # Pipes
//
// [Client.OpenPipe] opens an end-to-end encrypted pipe to another client. The server carries it and
// cannot read it. A [Pipe] has the same verbs as the connection to the server, and its streams are
// net.Conns:
//
//	p, err := c.OpenPipe(ctx, "bob")
//	err = p.Send(ctx, "test", []byte("for bob alone"))
//	conn, err := p.OpenStream(ctx, "http")
//
// Whom a pipe is opened to, and accepted from, is decided by key and not by name: the peers of the
// key file, or, with [Config.KnownPeers], those met before.
//
// # Others, groups and history
//
// What goes through the server it can read, and who sent it is its word; it decides what is
// allowed. Nobody may rename themselves, join groups or send to them unless it says so.
//
// A client can be in many groups, which it names in [Config.Groups] or joins at run time, and can
// send to all in one. A report says who was not reached. What others send to a group arrives as any
// message does, with [channel.Message.Group]:
//
//	err = c.JoinGroup(ctx, "players")
//	report, err := c.Group("players").Send(ctx, "move", []byte("e4"))
//	err = report.Err()
//
// [Client.Presence] tells who is connected and what changes, [Client.Peers] who is connected now,
// [Client.Lookup] who has a name. [Client.Follow] reads what the server keeps of a channel, and
// then goes on with what comes:
//
//	for e, err := range c.Presence(ctx) { … } // e.Kind: channel.WasHere, Listed, Came, Went, WentAway, CameBack, Renamed, GroupsChanged
//	for e, err := range c.Follow(ctx, "chat", 0) { … } // e.Number, e.Time, e.Message; a HistoryGapError in the place of what is missing
//
// Both go on when the network fails.
//
// The server's application may give a client another name, and put it into groups and out of them.
// [Client.Name] and [Client.Groups] are what the client was told last, and [Client.Selves] tells
// each change.
//
// # When the network fails
//
// A client outlives its connections. There are three kinds of loss:
//
//   - The connection is lost and the server keeps the session, for two minutes as a rule. The client goes on over a new connection, and nothing is noticed: messages,
//     requests, streams and pipes go on, nothing is lost and nothing comes twice. Meanwhile calls wait, or fail with [ErrOffline] if [Config.FailOffline] says so.
//   - The session is lost: the server was killed, closed, drained or restarted, or could not be reached for too long. The client gets a new session, and opens its pipes anew. Requests and streams that were
//     under way fail with a *channel.LostError or, if the server said why, a *channel.CloseError. Of messages that the other application is not known to have taken, the next Send or Flush tells with a
//     *channel.GapError, once; or, with [AtLeastOnce], they are sent again, and an application that lives takes none of them twice that come again in time: as long as the server remembers them,
//     for its grace time after it has ended the session, and a peer, for its own [Config.PipeGrace].
//     In all of these errors.Is finds [ErrSessionLost], however the session was lost. [Client.SendTo] tells of what a pipe has lost that it does not use any more.
//   - The server refuses the client, or ends its session with a reason that is final: the session was replaced by a newer one of the same key, the key was revoked, the
//     application said so. Then the Client has ended, and its Context is done. [Config.NoReconnect] makes the second kind of loss final, too.
//
// [Client.State] and [Client.States] tell which it is:
//
//	for s := range c.States(ctx) {
//		log.Print(s.Phase, s.Session, s.Err)
//	}
//
// A request that may be made twice is made again when its session is lost, and waits for the next:
//
//	answer, err := c.Request(ctx, "time", nil)
//	for errors.Is(err, client.ErrSessionLost) && c.Context().Err() == nil {
//		answer, err = c.Request(ctx, "time", nil)
//	}
//
// New connections are tried at once, then after random waits of less than a bound that grows from
// 50 ms to 10 s, and at once again when the computer wakes up. Where nothing listens, the bound is
// at least 2 s as soon as each address has been tried. They are tried at [Config.Addresses], too. A
// pipe is opened anew at once if it had lasted for 10 s, and else after waits whose bound grows
// from 50 ms to 2 s. A server that goes down may say when to come back; it is obeyed for at most
// ten minutes. What is exact is what the other application has taken, which it reports itself,
// through a pipe end to end; what it took and could not report any more is among what the GapError
// does not know of.
package client
