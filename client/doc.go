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
// Messages are taken with [Client.Receive], or by handlers:
//
//	c.Handle("test", func(ctx context.Context, from channel.Conn, m *channel.Message) error { … })
//	err = c.Run(ctx)
//
// # Pipes
//
// [Client.OpenPipe] opens an end-to-end encrypted pipe to another client. The server carries it and cannot read it. A [Pipe] has the
// same verbs as the connection to the server, and its streams are net.Conns:
//
//	p, err := c.OpenPipe(ctx, "bob")
//	err = p.Send(ctx, "test", []byte("for bob alone"))
//	conn, err := p.OpenStream(ctx, "http")
//
// Whom a pipe is opened to, and accepted from, is decided by key and not by name: the peers of the key file, or, with [Config.KnownPeers],
// those met before.
package client
