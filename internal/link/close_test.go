package link

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

func types(frames []frame) (of []wire.Type) {
	for _, f := range frames {
		of = append(of, f.Type)
	}
	return of
}

func TestCloseWritesWhatIsQueuedThenTotalsThenClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		l, r := againstOver(t, memnet.Config{Buffer: 100}, nil)
		r.write(chFrame(1, "in"), msgFrames(1, 8)) // cost 40
		_, err := l.Receive(ctx)
		require.NoError(t, err)
		for range 10 {
			require.NoError(t, l.Send(ctx, "out", channel.Raw, make([]byte, 50)))
		}
		closed := make(chan error)
		go func() { closed <- l.Close(300, "bye") }()
		var frames []frame
		for len(frames) < 13 {
			frames = append(frames, r.read()...)
		}
		require.Equal(t, "CHANNEL 1", frames[0].String())
		for _, f := range frames[1:11] {
			require.Equal(t, "MESSAGE 1", f.String())
		}
		require.Equal(t, "CREDIT 1 40 65576", frames[11].String())
		require.Equal(t, "CLOSE 0 code 300", frames[12].String())
		r.eof()
		require.Equal(t, channel.ErrClosed, context.Cause(l.Context()))
		r.write(reason(wire.TypeClose, 0, 0))
		require.NoError(t, <-closed)
		require.NoError(t, l.Close(0, ""), "a second Close")
	})
}

// The answer to CLOSE, with the totals, is written also if the other side's end has come with it.
func TestCloseIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := againstOver(t, memnet.Config{Buffer: 2 << 10}, &Config{})
		r.write(chFrame(1, "in"), msgFrames(1, 8))
		_, err := l.Receive(t.Context())
		require.NoError(t, err)
		for i := range uint32(100) {
			r.write(empty(wire.TypePing, i))
		}
		r.conn.Stall() // the writer has to wait while the end is read
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, make([]byte, 5000)))
		synctest.Wait()
		r.write(reason(wire.TypeClose, 0, 300))
		require.NoError(t, r.conn.CloseWrite())
		synctest.Wait()
		r.conn.Resume()
		frames := r.read()
		require.Equal(t, []string{"CREDIT 1 40 65576", "CLOSE 0 code 0"},
			[]string{frames[len(frames)-2].String(), frames[len(frames)-1].String()})
		<-l.Done()
		require.ErrorIs(t, context.Cause(l.Context()), channel.Code(300))
	})
}

func TestBothCloseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		a, b := pairOver(t, memnet.Config{Delay: 50 * time.Millisecond}, nil, nil)
		done := make(chan error)
		go func() { done <- a.Close(0, "") }()
		require.NoError(t, b.Close(0, ""))
		require.NoError(t, <-done)
		require.Less(t, time.Since(begin), wire.CloseTimeout)
	})
}

// The other side's CLOSE does not cut ours, which is being written.
func TestCloseCrossesClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := againstOver(t, memnet.Config{Buffer: 4}, nil)
		closed := make(chan error, 1)
		go func() { closed <- l.Close(300, "bye") }()
		synctest.Wait()
		r.write(reason(wire.TypeClose, 0, 0))
		synctest.Wait()
		require.Equal(t, []string{"CLOSE 0 code 300"}, r.lines())
		require.NoError(t, <-closed)
	})
}

func TestCloseWhilePeerReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := againstOver(t, memnet.Config{Buffer: 1000}, nil)
		for range 10 {
			require.NoError(t, l.Send(t.Context(), "x", channel.Raw, make([]byte, 1000)))
		}
		begin := time.Now()
		var lost *channel.LostError
		require.ErrorAs(t, l.Close(0, ""), &lost)
		require.Equal(t, wire.CloseTimeout, time.Since(begin))
	})
}

func TestCloseThatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		begin := time.Now()
		require.NoError(t, l.Close(0, ""), "all was written")
		require.Equal(t, wire.CloseTimeout, time.Since(begin))
		require.Equal(t, []string{"CLOSE 0 code 0"}, r.lines())
	})
}

// After its CLOSE a link takes nothing that it has not told.
func TestCloseTellsExactlyWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		handled, release := 0, make(chan struct{})
		mux.Handle("h", func(context.Context, channel.Conn, *channel.Message) error {
			handled++
			<-release
			return nil
		})
		l, r := against(t, &Config{Mux: &mux})
		l.Run()
		r.write(chFrame(1, "h"), msgFrames(1, 0), msgFrames(1, 0), msgFrames(1, 0))
		synctest.Wait()
		go func() { _ = l.Close(0, "") }()
		require.Equal(t, []string{"CREDIT 1 32 65568", "CLOSE 0 code 0"}, r.lines())
		close(release)
		synctest.Wait()
		require.Equal(t, 1, handled)
	})
}

func TestFlushAcrossClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, nil)
		for range 2 {
			require.NoError(t, a.Send(t.Context(), "x", channel.Raw, nil))
		}
		first, second := make(chan error), make(chan error)
		go func() { first <- a.Flush(t.Context()) }()
		synctest.Wait()
		for range 2 {
			_, err := b.Receive(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, a.Send(t.Context(), "y", channel.Raw, nil))
		go func() { second <- a.Flush(t.Context()) }()
		synctest.Wait()
		require.NoError(t, b.Close(300, ""))
		require.NoError(t, <-first)
		require.ErrorIs(t, <-second, channel.Code(300), "y was not taken")
		require.ErrorIs(t, a.Flush(t.Context()), channel.Code(300))
	})
}

// What arrived before an orderly end is handled and received after it.
func TestArrivedBeforeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var handled []string
		release := make(chan struct{})
		mux.Handle("h", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			<-release
			handled = append(handled, string(m.Body))
			return ctx.Err()
		})
		a, b := pair(t, nil, &Config{Mux: &mux})
		b.Run()
		for _, s := range []string{"1", "2", "3"} {
			require.NoError(t, a.Send(t.Context(), "h", channel.Raw, []byte(s)))
		}
		synctest.Wait()
		require.NoError(t, a.Close(0, ""))
		<-b.Done()
		close(release)
		b.Wait()
		require.Equal(t, []string{"1", "2", "3"}, handled)

		c, d := pair(t, nil, nil)
		require.NoError(t, c.Send(t.Context(), "x", channel.Raw, []byte("last")))
		synctest.Wait()
		require.NoError(t, c.Close(0, ""))
		<-d.Done()
		m, err := d.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "last", string(m.Body))
		var closed *channel.CloseError
		_, err = d.Receive(t.Context())
		require.ErrorAs(t, err, &closed)
	})
}

// A handler has handlerGrace after the other side's close, and no time at all after a loss or a close of ours.
func TestHandlersEnd(t *testing.T) {
	for name, test := range map[string]struct {
		end   func(a, b *Link)
		after time.Duration
	}{
		"closed there": {func(a, b *Link) { _ = a.Close(0, "") }, handlerGrace},
		"closed here":  {func(a, b *Link) { _ = b.Close(0, "") }, 0},
		"lost":         {func(a, b *Link) { a.Cut(io.ErrUnexpectedEOF) }, 0},
		"cut here":     {func(a, b *Link) { b.Cut(io.ErrUnexpectedEOF) }, 0},
		"cut after close": {func(a, b *Link) {
			_ = a.Close(0, "")
			b.Cut(io.ErrUnexpectedEOF)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, nil, &Config{Mux: blocking()})
				b.Run()
				require.NoError(t, a.Send(t.Context(), "h", channel.Raw, nil))
				synctest.Wait()
				begin := time.Now()
				test.end(a, b)
				b.Wait()
				require.Equal(t, test.after, time.Since(begin))
			})
		})
	}
}

func TestCloseFromAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var b *Link
		closed := make(chan error, 1)
		mux.Handle("quit", func(context.Context, channel.Conn, *channel.Message) error {
			closed <- b.Close(300, "asked to")
			return nil
		})
		a, b2 := pair(t, nil, &Config{Mux: &mux})
		b = b2
		b.Run()
		_, err := a.Request(t.Context(), "quit", channel.Raw, nil)
		require.ErrorIs(t, err, channel.Code(300))
		require.NoError(t, <-closed)
		b.Wait()
	})
}

// What waits when the link ends gets its reason.
func TestWhatWaitingCallsGet(t *testing.T) {
	calls := map[string]func(ctx context.Context, l *Link) error{
		"Receive": func(ctx context.Context, l *Link) error { _, err := l.Receive(ctx); return err },
		"Request": func(ctx context.Context, l *Link) error { _, err := l.Request(ctx, "h", channel.Raw, nil); return err },
		"Flush": func(ctx context.Context, l *Link) error {
			if err := l.Send(ctx, "x", channel.Raw, nil); err != nil {
				return err
			}
			return l.Flush(ctx)
		},
		"Send for credit": func(ctx context.Context, l *Link) error {
			for {
				if err := l.Send(ctx, "full", channel.Raw, make([]byte, 30000)); err != nil {
					return err
				}
			}
		},
		"OpenStream": func(ctx context.Context, l *Link) error { _, err := l.OpenStream(ctx, "s"); return err },
		"Ping":       func(ctx context.Context, l *Link) error { _, err := l.Ping(ctx); return err },
		"Read": func(ctx context.Context, l *Link) error {
			s, err := l.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
			if err != nil {
				return err
			}
			_, err = s.Read(make([]byte, 1))
			return err
		},
		"Write": func(ctx context.Context, l *Link) error {
			s, err := l.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
			if err != nil {
				return err
			}
			_, err = s.Write(make([]byte, 100000))
			return err
		},
	}
	isLost := func(err error) bool { var e *channel.LostError; return errors.As(err, &e) }
	for name, test := range map[string]struct {
		end func(l *Link, r *raw)
		is  func(error) bool
	}{
		"closed here": {func(l *Link, r *raw) { go func() { _ = l.Close(0, "") }() },
			func(err error) bool { return errors.Is(err, channel.ErrClosed) }},
		"closed there": {func(l *Link, r *raw) { r.write(reason(wire.TypeClose, 0, 300)) },
			func(err error) bool { var e *channel.CloseError; return errors.As(err, &e) && e.Code == 300 }},
		"lost":   {func(l *Link, r *raw) { r.conn.Cut() }, isLost},
		"ended":  {func(l *Link, r *raw) { _ = r.conn.Close() }, isLost},
		"broken": {func(l *Link, r *raw) { r.write(data(99, 1)) }, isLost},
		"cut":    {func(l *Link, r *raw) { l.Cut(io.ErrUnexpectedEOF) }, isLost},
		"kicked": {func(l *Link, r *raw) {
			l.Kick(channel.CodeKicked, "")
		}, func(err error) bool { return errors.Is(err, channel.ErrClosed) }},
		"reason unread": {func(l *Link, r *raw) {
			r.conn.Stall()
			r.write(reason(wire.TypeClose, 0, 300))
		}, func(err error) bool { var e *channel.CloseError; return errors.As(err, &e) && e.Code == 300 }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, r := against(t, nil)
				errs := make(map[string]error)
				for call, do := range calls {
					got := make(chan error, 1)
					go func() { got <- do(t.Context(), l) }()
					defer func() { errs[call] = <-got; require.Truef(t, test.is(errs[call]), "%s: %v", call, errs[call]) }()
				}
				synctest.Wait()
				r.read()
				test.end(l, r)
			})
		})
	}
}

// A connection that cannot be written to still has the other side's last word to read.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		synctest.Wait()
		l.mu.Lock() // so that CLOSE is not acted on before the write fails
		r.write(reason(wire.TypeClose, 0, wire.CodeReplaced))
		require.NoError(t, r.conn.Close())
		l.mu.Unlock()
		_ = l.Send(t.Context(), "x", channel.Raw, nil)
		<-l.Done()
		require.ErrorIs(t, context.Cause(l.Context()), channel.CodeReplaced)
	})
}

func TestKickEndsStreamsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := againstOver(t, memnet.Config{Buffer: 100}, nil)
		s, err := l.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
		require.NoError(t, err)
		_, err = s.Write(make([]byte, 1000))
		require.NoError(t, err)
		synctest.Wait()
		l.Kick(channel.CodeKicked, "out")
		_, err = s.Read(make([]byte, 1))
		require.ErrorIs(t, err, channel.ErrClosed)
		frames := r.read()
		require.Equal(t, "CLOSE 0 code 5", frames[len(frames)-1].String())
		require.NotContains(t, types(frames[2:]), wire.TypeData)
	})
}
