package channel_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/pysock/pysock/channel"
)

// A typed channel is defined once. The two ends may be a client and a server, or two clients with a pipe between them.
func Example() {
	grades := channel.Of[int]("grade")

	// At one end:
	var mux channel.Mux
	grades.Handle(&mux, func(ctx context.Context, from channel.Conn, n int) error {
		fmt.Println("a grade:", n)
		return nil
	})

	// At the other:
	var conn channel.Conn = &loop{mux: &mux}
	if err := grades.Send(context.Background(), conn, 100); err != nil {
		fmt.Println(err)
	}
	// Output: a grade: 100
}

func ExampleOf() {
	type Move struct {
		X, Y int
		Note string `cbor:"note,omitempty"`
	}
	moves := channel.Of[Move]("moves")

	var mux channel.Mux
	moves.Handle(&mux, func(ctx context.Context, from channel.Conn, m Move) error {
		fmt.Printf("%s moves to %d, %d\n", from.Peer().Name, m.X, m.Y)
		return nil
	})
	conn := &loop{mux: &mux}
	if err := moves.Send(context.Background(), conn, Move{X: 3, Y: 4}); err != nil {
		fmt.Println(err)
	}
	// Output: loop moves to 3, 4
}

func ExampleRequest() {
	var mux channel.Mux
	channel.Respond(&mux, "square", func(ctx context.Context, from channel.Conn, n int) (int, error) {
		return n * n, nil
	})

	conn := &loop{mux: &mux}
	answer, err := channel.Request[int](context.Background(), conn, "square", 12)
	fmt.Println(answer, err)
	// Output: 144 <nil>
}

func ExampleRespond() {
	const codeOdd = channel.CodeApplication + 1
	var mux channel.Mux
	channel.Respond(&mux, "halve", func(ctx context.Context, from channel.Conn, n int) (int, error) {
		if n%2 != 0 {
			return 0, &channel.Error{Code: codeOdd, Text: "odd numbers have no half"}
		}
		return n / 2, nil
	})

	conn := &loop{mux: &mux}
	_, err := channel.Request[int](context.Background(), conn, "halve", 7)
	fmt.Println(errors.Is(err, codeOdd))
	fmt.Println(err)
	_, err = channel.Request[int](context.Background(), conn, "halve", "seven")
	fmt.Println(errors.Is(err, channel.CodeBadMessage))
	// Output:
	// true
	// code 257: "odd numbers have no half"
	// true
}

func ExampleMux() {
	var mux channel.Mux
	mux.Handle("news", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		fmt.Printf("%s says %s\n", m.From.Name, m.Body)
		return nil
	})
	mux.Handle("shout", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return m.Reply(ctx, append(m.Body, '!'))
	})
	mux.Fallback(func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		fmt.Printf("nobody else takes %q\n", m.Channel)
		return nil
	})

	ctx := context.Background()
	conn := &loop{mux: &mux}
	_ = conn.Send(ctx, "news", []byte("Hello, World!"))
	_ = conn.Send(ctx, "gossip", nil)
	answer, err := conn.Request(ctx, "shout", []byte("hey"))
	fmt.Println(string(answer.Body), err)
	// Output:
	// loop says Hello, World!
	// nobody else takes "gossip"
	// hey! <nil>
}

func ExampleCode() {
	err := fmt.Errorf("ask the printer: %w", &channel.Error{Code: channel.CodeBusy, Text: "out of paper", Remote: true})

	fmt.Println(errors.Is(err, channel.CodeBusy))
	var e *channel.Error
	if errors.As(err, &e) {
		fmt.Println("said by the other side:", e.Remote)
	}
	fmt.Println(err)
	// Output:
	// true
	// said by the other side: true
	// ask the printer: busy: "out of paper"
}

func ExampleMessage_Value() {
	m, err := channel.Of[any]("state").Message(map[string]any{"on": true, "level": 7, "name": nil})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := m.Value()
	fmt.Println(v, err)
	// Output: map[level:7 name:<nil> on:true] <nil>
}

// Middleware sees all that any handler gets, here to keep strangers out and to count.
func ExampleMux_Use() {
	var mux channel.Mux
	count := 0
	mux.Use(
		func(next channel.Handler) channel.Handler {
			return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
				count++
				return next(ctx, from, m)
			}
		},
		func(next channel.Handler) channel.Handler {
			return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
				if m.Channel == "admin" && m.From.Name != "alice" {
					return &channel.Error{Code: channel.CodeRefused, Text: "for alice alone"}
				}
				return next(ctx, from, m)
			}
		},
	)
	channel.Respond(&mux, "square", func(ctx context.Context, from channel.Conn, n int) (int, error) { return n * n, nil })
	channel.NewSignal("admin").Handle(&mux, func(ctx context.Context, from channel.Conn) error { return nil })

	ctx := context.Background()
	conn := &loop{mux: &mux}
	fmt.Println(channel.Request[int](ctx, conn, "square", 12))
	_, err := conn.Request(ctx, "admin", nil)
	fmt.Println(err)
	fmt.Println(count, "messages")
	// Output:
	// 144 <nil>
	// refused: "for alice alone"
	// 2 messages
}

func ExampleMux_OnError() {
	var mux channel.Mux
	mux.OnError(func(e channel.ErrorEvent) {
		var bad *channel.DecodeError
		var panicked *channel.PanicError
		switch {
		case errors.As(e.Err, &bad):
			fmt.Printf("%s sent on %q what is no value of it\n", bad.From.Name, bad.Channel)
		case errors.As(e.Err, &panicked):
			fmt.Println("mend the handler:", panicked.Value)
		default:
			fmt.Printf("%q: %v\n", e.Message.Channel, e.Err)
		}
	})
	grades := channel.Of[int]("grade")
	grades.Handle(&mux, func(ctx context.Context, from channel.Conn, n int) error {
		switch {
		case n < 0:
			return errors.New("no grade is below zero")
		case n == 0:
			panic("nobody thought of zero")
		}
		return nil
	})

	ctx := context.Background()
	conn := &loop{mux: &mux}
	_ = channel.Of[string]("grade").Send(ctx, conn, "A+")
	_ = grades.Send(ctx, conn, -1)
	_ = grades.Send(ctx, conn, 0)
	// Output:
	// loop sent on "grade" what is no value of it
	// "grade": no grade is below zero
	// mend the handler: nobody thought of zero
}

// A signal says something by coming at all.
func ExampleSignal() {
	ready := channel.NewSignal("ready")

	var mux channel.Mux
	ready.Handle(&mux, func(ctx context.Context, from channel.Conn) error {
		fmt.Println(from.Peer().Name, "is ready")
		return nil
	})
	if err := ready.Send(context.Background(), &loop{mux: &mux}); err != nil {
		fmt.Println(err)
	}
	// Output: loop is ready
}

// A history keeps what came on a channel, for who was not there. A server gives it to clients that
// ask; see server.Server.Histories.
func ExampleHistory() {
	history := channel.NewHistory(channel.HistoryConfig{Count: 2})
	var mux channel.Mux
	mux.Handle("news", history.Middleware()(func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return nil
	}))
	ctx := context.Background()
	conn := &loop{mux: &mux}
	for _, news := range []string{"rain", "snow", "sun"} {
		_ = conn.Send(ctx, "news", []byte(news))
	}

	page, err := history.Entries(0, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("forgotten:", page.Lost)
	for _, e := range page.Entries {
		fmt.Printf("%d: %s said %s\n", e.Number, e.Message.From.Name, e.Message.Body)
	}
	_, err = history.Entries(100, 10)
	fmt.Println(errors.Is(err, channel.ErrFuture))
	// Output:
	// forgotten: 1
	// 2: loop said snow
	// 3: loop said sun
	// true
}

func ExampleReport() {
	report := channel.Report{Reached: 7, Unreached: []channel.Unreached{
		{Peer: channel.Peer{Name: "bob"}, Err: channel.CodeNotConnected},
	}}
	fmt.Println(report.Err())
	// Output: 1 of 8 did not get the message: "bob" (the peer is not connected)
}
