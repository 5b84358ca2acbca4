package link

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// A connection that is closed with bytes unread is reset, and the reset can overtake our CLOSE. So
// it is closed when the other side's end has come, or when that has had its time.
func TestConnectionIsClosedAfterThePeersEnd(t *testing.T) {
	closes := map[string]func(l *Link, r *raw){
		"we first": func(l *Link, r *raw) {
			go func() { _ = l.Close(300, "bye") }()
			synctest.Wait()
			r.write(reason(wire.TypeClose, 0, 0))
		},
		"they first": func(_ *Link, r *raw) { r.write(reason(wire.TypeClose, 0, 300)) },
	}
	ends := map[string]struct {
		end   func(r *raw)
		after time.Duration
	}{
		"ended":     {func(r *raw) { require.NoError(r.t, r.conn.CloseWrite()) }, 0},
		"never":     {func(*raw) {}, lastWords},
		"talks on":  {func(r *raw) { r.write(data(1, 1000)) }, lastWords},
		"cut":       {func(r *raw) { r.conn.Cut() }, 0},
		"ends late": {func(r *raw) { time.AfterFunc(lastWords/2, func() { _ = r.conn.CloseWrite() }) }, lastWords / 2},
	}
	for how, begin := range closes {
		for name, test := range ends {
			t.Run(how+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l, r := against(t, nil)
					began := time.Now()
					begin(l, r)
					lines := r.lines()
					require.Contains(t, lines[len(lines)-1], "CLOSE")
					r.eof()
					cause := context.Cause(l.Context())
					require.Error(t, cause, "the link has ended")
					r.write(data(1, 100)) // what was on its way: it fails if the connection is closed
					select {
					case <-l.Done():
						t.Fatal("the connection is closed before its other direction has ended")
					default:
					}
					test.end(r)
					<-l.Done()
					require.Equal(t, test.after, time.Since(began))
					require.Equal(t, cause, context.Cause(l.Context()))
					_, err := r.conn.Write([]byte{0})
					require.Error(t, err, "now it is closed")
				})
			})
		}
	}
}

// lingering is a connection whose Close returns when all that follows from it has happened.
type lingering struct {
	net.Conn
	once sync.Once
	then func()
}

func (c *lingering) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		synctest.Wait()
		c.then()
	})
	return err
}

// The link closes its connection because the reader has failed. That the writer fails then, too, is not why.
func TestTeardownTellsTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := memnet.Pipe(memnet.Config{Buffer: 100})
		t.Cleanup(func() { _ = far.Close() })
		conn := &lingering{Conn: near}
		l := start(t, conn, "far", nil)
		conn.then = func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			err := l.Send(ctx, "x", channel.Raw, nil)
			assert.True(t, l.Ended(err), "%v", err)
			assert.Error(t, l.Context().Err(), "who is told of the end finds the Context done")
		}
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, make([]byte, 1000)))
		synctest.Wait() // the writer waits for room
		near.CutIn()
		<-l.Done()
		l.mu.Lock()
		require.Error(t, l.writeErr, "the writer has failed, too")
		l.mu.Unlock()
		require.ErrorIs(t, context.Cause(l.Context()), memnet.ErrCut)
	})
}

// hopAndPipe makes a link over conn, and another over one of its streams. They are those of one side.
func hopAndPipe(t *testing.T) (hop, pipe *Link, conn *memnet.Conn) {
	opened := make(chan *Stream, 1)
	near, far := memnet.Pipe(memnet.Config{})
	hop = start(t, near, "server", &Config{Initiator: true})
	start(t, far, "client", &Config{OpenPipe: func(s *Stream, _ wire.PipeOpen) { s.Accept(); opened <- s }})
	s, err := hop.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
	require.NoError(t, err)
	start(t, <-opened, "a", nil)
	return hop, start(t, s, "b", &Config{Initiator: true}), near
}

// A pipe that ends with its hop tells of that once, and of its own messages only.
func TestEndOfAPipeWithItsHop(t *testing.T) {
	for _, sent := range []uint64{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			hop, pipe, conn := hopAndPipe(t)
			require.NoError(t, hop.Send(t.Context(), "ours", channel.Raw, nil))
			for range sent {
				require.NoError(t, pipe.Send(t.Context(), "theirs", channel.Raw, nil))
			}
			synctest.Wait()
			conn.Cut()
			<-pipe.Done()
			require.Equal(t, uint64(1), gapOf(t, context.Cause(hop.Context())).Sent)
			requireLostOnce(t, context.Cause(pipe.Context()), sent)
			require.ErrorIs(t, context.Cause(pipe.Context()), memnet.ErrCut)
		})
	}
}

// The same when it is who has both that ends the one because of the other.
func TestCutForTheEndOfAnother(t *testing.T) {
	lost := &channel.LostError{Err: io.ErrUnexpectedEOF}
	for name, why := range map[string]error{
		"lost":            lost,
		"lost with a gap": &channel.GapError{Err: lost, Sent: 7},
		"closed":          &channel.GapError{Err: &channel.CloseError{Code: channel.CodeShutdown}, Sent: 7},
		"wrapped":         errors.Join(errors.New("the session"), &channel.GapError{Err: lost, Sent: 7}),
	} {
		for _, sent := range []uint64{0, 3} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l, _ := against(t, nil)
					for range sent {
						require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
					}
					l.Cut(why)
					cause := context.Cause(l.Context())
					requireLostOnce(t, cause, sent)
					require.True(t, errors.Is(cause, io.ErrUnexpectedEOF) || errors.Is(cause, channel.CodeShutdown), "%v", cause)
				})
			})
		}
	}
}

// requireLostOnce wants the loss of a connection, said once, with a gap of so many messages if any were sent.
func requireLostOnce(t *testing.T, err error, sent uint64) {
	t.Helper()
	require.Equal(t, 1, strings.Count(err.Error(), "the connection was lost"), err.Error())
	if sent > 0 {
		g := gapOf(t, err)
		require.Equal(t, sent, g.Sent)
		err = g.Err
	}
	require.IsType(t, &channel.LostError{}, err)
	var gap *channel.GapError
	require.False(t, errors.As(err, &gap), "another link's gap: %v", err)
}

// TestRunAfterTheEnd: what has arrived before an orderly close is handled, also if Run comes when the link has ended.
func TestRunAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux, handled := new(channel.Mux), 0
		mux.Fallback(func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
			handled++
			return ctx.Err()
		})
		l, r := against(t, &Config{Mux: mux})
		r.write(chFrame(1, "a"), msgFrames(1, 8), msgFrames(1, 8), reason(wire.TypeClose, 0, 5))
		require.NoError(t, r.conn.CloseWrite())
		<-l.Done()
		l.Run()
		l.Wait()
		require.Equal(t, 2, handled)
	})
}
