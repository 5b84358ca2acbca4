package client_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// unwelcome is a connection that is cut when the other side has written its verdict, before that is read.
type unwelcome struct {
	net.Conn
	writes int
	cut    func()
}

func (c *unwelcome) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.writes++; c.writes == 2 { // message 3
		synctest.Wait()
		c.cut()
	}
	return n, err
}

// complete is record.take for messages of which none may be missing.
func (r *record) complete(t *testing.T) channel.Handler {
	return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		assert.Zero(t, m.Missed)
		return r.take(ctx, from, m)
	}
}

// TestLostWelcome restarts the server, and the client does not hear its first welcomes, but one
// that the server says when it has numbered messages anew already.
func TestLostWelcome(t *testing.T) {
	for _, lost := range []int{1, 3} {
		for _, between := range []int{0, 1, 2} { // messages on the sessions that the client does not hear of
			t.Run(fmt.Sprintf("%d welcomes, %d messages", lost, between), func(t *testing.T) {
				bubble(t, func(t *testing.T) { testLostWelcome(t, lost, between) })
			})
		}
	}
}

func testLostWelcome(t *testing.T, lost, between int) {
	ctx := t.Context()
	var at record
	w := newWorld(t, nil, "alice")
	left := 0
	alice := w.dial("alice", func(c *client.Config) {
		c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := w.net.dial(ctx, network, address)
			if err != nil || left == 0 {
				return conn, err
			}
			left--
			return &unwelcome{Conn: conn, cut: func() {
				sess, ok := w.srv.Session("alice")
				if assert.True(t, ok, "the server has begun a session") {
					for range between {
						assert.NoError(t, sess.Send(ctx, "news", numbered(99, 0)))
					}
				}
				conn.(*memnet.Conn).Cut()
			}}, nil
		}
	})
	alice.Handle("news", at.complete(t))
	go alice.Run(ctx)
	say := func() {
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		for i := range 10 {
			require.NoError(t, sess.SendAcked(ctx, "news", numbered(i, 0)))
		}
	}
	say()
	left = lost
	w.restart(nil)
	await(t, alice, session(2))
	require.Zero(t, left)
	say()
	require.Equal(t, append(upTo(10), upTo(10)...), at.taken())
}

// TestRecords has a server say one record after another: with the same as before what comes again
// is not taken again, with another all is taken.
func TestRecords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLiar(t)
		dialed := make(chan *client.Client, 1)
		go func() {
			alice, err := client.Dial(context.Background(), "", l.client())
			if err != nil {
				panic(err)
			}
			dialed <- alice
		}()
		var at record
		var want []uint32
		for i, step := range []struct {
			record   byte
			from, to int // of the messages that are sent
			taken    []uint32
		}{
			{1, 0, 3, []uint32{0, 1, 2}},
			{1, 1, 4, []uint32{3}},
			{1, 0, 4, nil},
			{2, 0, 2, []uint32{0, 1}},
			{2, 1, 3, []uint32{2}},
			{1, 0, 2, []uint32{0, 1}}, // it is another than the last
		} {
			if i > 0 { // there is one, and not the first that is being made
				l.net.cut()
			}
			conn, _ := l.welcome(func(*wire.Hello) *wire.Welcome {
				return &wire.Welcome{Session: [wire.IDSize]byte{byte(i + 1)}, Grace: 120, Record: [wire.IDSize]byte{step.record}}
			})
			if i == 0 {
				alice := <-dialed
				t.Cleanup(func() { alice.Close() })
				alice.Handle("news", at.take)
				go alice.Run(t.Context())
			}
			stream := resume.New(conn, &resume.Config{})
			t.Cleanup(func() { stream.Fail(nil) })
			frames := wire.AppendChannel(nil, 1, uint64(step.from), wire.KindApplication, "news")
			for n := step.from; n < step.to; n++ {
				frames = wire.AppendMessage(frames, 1, 0, wire.MessageStart{}, numbered(n, 0))
			}
			_, err := stream.Write(frames)
			require.NoError(t, err)
			want = append(want, step.taken...)
			require.Equal(t, want, at.taken(), "step %d", i)
		}
	})
}

// TestLostWelcomeOfAPipe restarts the peer that accepted a pipe, and what it says first to the
// opener's coming back is lost with the server.
func TestLostWelcomeOfAPipe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, func(s *server.Server) { s.Grace = 10 * time.Second }, "alice", "bob")
		alice := w.dial("alice", nil)
		alice.Handle("up", at.complete(t))
		bobs, forBob := w.apart()
		bob := w.dial("bob", forBob)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		go p.Run(ctx)
		say := func(bob *client.Client) {
			q, err := bob.AcceptPipe(ctx)
			require.NoError(t, err)
			for i := range 10 {
				require.NoError(t, q.SendAcked(ctx, "up", numbered(i, 0)))
			}
			require.Equal(t, []*client.Pipe{q}, bob.Pipes())
		}
		say(bob)

		bobs.fail(true)
		again, forAgain := w.apart()
		again.kind = func(int) memnet.Config { return memnet.Config{Delay: 10 * time.Millisecond} }
		bob = w.dial("bob", forAgain)
		for len(bob.Pipes()) == 0 {
			<-time.After(time.Millisecond)
		}
		synctest.Wait()
		w.restart(nil)                // its welcome is under way to the server
		<-time.After(5 * time.Second) // all are back
		say(bob)
		require.Equal(t, append(upTo(10), upTo(10)...), at.taken())
		require.Equal(t, []*client.Pipe{p}, alice.Pipes())
	})
}

// TestSameRecordOfAPipe loses what the opener has taken, but not that it has: it does not take it
// again from a peer that was there all the time.
func TestSameRecordOfAPipe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, nil, "alice", "bob")
		alices, forAlice := w.apart()
		alice := w.dial("alice", forAlice)
		alice.Handle("up", at.complete(t))
		bob := w.dial("bob", func(c *client.Config) { c.Delivery = client.AtLeastOnce })
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		go p.Run(ctx)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		_, err = q.Ping(ctx)
		require.NoError(t, err)
		for range 3 {
			before := len(at.taken())
			alices.silence()
			for i := range 10 {
				require.NoError(t, q.Send(ctx, "up", numbered(before+i, 0)))
			}
			require.Equal(t, upTo(before+10), at.taken())
			w.restart(nil)
			require.NoError(t, q.Flush(ctx))
			require.Equal(t, upTo(before+10), at.taken())
		}
		require.Equal(t, 4, alice.State().Session)
	})
}
