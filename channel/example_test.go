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
