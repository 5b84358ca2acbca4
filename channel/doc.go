// Package channel is the vocabulary that clients and servers share: messages,
// channels, peers, handlers and errors.
//
// A message is a body on a named channel. It is sent on a [Conn], which is a
// client's connection to its server, a server's session with a client, or an
// end-to-end encrypted pipe between two clients: the same verbs work on each.
//
//	err := conn.Send(ctx, "news", []byte("Hello, World!"))
//	answer, err := conn.Request(ctx, "square", []byte("12"))
//
// At the other end a [Mux] finds the [Handler] of the channel:
//
//	var mux channel.Mux
//	mux.Handle("news", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
//		fmt.Printf("%s says %s\n", m.From.Name, m.Body)
//		return nil
//	})
//
// A typed channel is defined once and used at both ends; its values travel
// as CBOR, and [Request] and [Respond] do the same for a question and its answer:
//
//	var Grade = channel.Of[int]("grade")
//
//	err := Grade.Send(ctx, conn, 100)
//	Grade.Handle(&mux, func(ctx context.Context, from channel.Conn, n int) error { … })
//	square, err := channel.Request[int](ctx, conn, "square", 12)
//	channel.Respond(&mux, "square", func(ctx context.Context, from channel.Conn, n int) (int, error) { … })
//
// A body that is not a value of the type never reaches the handler. What comes from
// outside is bounded before it is decoded; [Message.Value] decodes what has no type here.
// A [Signal] is a channel whose messages have no body at all.
//
// [Mux.Use] puts middleware round all handlers. [Mux.OnError] is told of each message whose
// handling failed: with a *[DecodeError] if the body was bad, a *[PanicError] if the handler was.
// [Mux.Fallback] takes what no handler is for.
//
// A server can send to many at once; a [Report] says whom it did not reach. A [History] keeps the
// newest messages of a channel for those who come later, and a [PresenceEvent] says who came or went.
//
// Errors carry a [Code]; errors.Is(err, channel.CodeBusy) asks for it.
// [ErrClosed] means that this end closed the connection, a *[CloseError] that
// the other end did, a *[LostError] that nobody did.
package channel
