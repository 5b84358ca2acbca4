package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

func gapOf(t *testing.T, err error) *channel.GapError {
	t.Helper()
	var g *channel.GapError
	require.ErrorAs(t, err, &g)
	return g
}

// Numbers are of whole messages that are no requests, whatever is between them.
func TestGapNumbers(t *testing.T) {
	for _, test := range []struct {
		taken uint64 // of a request of 32, four messages of 42, one of 100032 bytes, a skip of 50000, two of 42
		count uint64
	}{
		{0, 0}, {32, 0}, {73, 0}, {74, 1}, {115, 1}, {116, 2}, {200, 4}, {100231, 4}, {100232, 5}, {150232, 5}, {150274, 6}, {150316, 7},
	} {
		t.Run(fmt.Sprint(test.taken), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				l, r := against(t, nil)
				go func() { _, _ = l.Request(ctx, "x", channel.Raw, nil) }()
				synctest.Wait()
				send := func(n int) { require.NoError(t, l.Send(ctx, "x", channel.Raw, make([]byte, n))) }
				for range 4 {
					send(10)
				}
				go send(100000)
				synctest.Wait()
				r.write(credit(1, 0, 100232))
				synctest.Wait()
				ctx2, cancel := context.WithCancel(ctx)
				go func() { _ = l.Send(ctx2, "x", channel.Raw, make([]byte, 150000)) }()
				synctest.Wait()
				cancel()
				synctest.Wait()
				// 50000 is what is left of the announced total when smaller ones were sent of the rest.
				l.mu.Lock()
				ch := l.out[wire.KindApplication]["x"]
				ch.pushed += 50000
				ch.credit.Sent += 50000
				ch.credit.Allowed = 1 << 30
				ch.costs.add(50000, 0)
				l.mu.Unlock()
				send(10)
				send(10)
				require.NoError(t, l.Send(ctx, "a", channel.Raw, nil))
				r.write(credit(1, test.taken, 1<<30), credit(2, 32, 1<<20))
				r.write(reason(wire.TypeClose, 0, wire.CodeShutdown))
				<-l.Done()
				err := context.Cause(l.Context())
				if test.count == 7 {
					require.IsType(t, &channel.CloseError{}, err)
					return
				}
				g := gapOf(t, err)
				require.IsType(t, &channel.CloseError{}, g.Err)
				require.ErrorIs(t, err, channel.CodeShutdown)
				require.Equal(t, uint64(8), g.Sent)
				require.Equal(t, test.count+1, g.Taken)
				require.Equal(t, []channel.ChannelGap{{Channel: "x", Sent: 7, Taken: test.count, Lost: 7 - test.count}}, g.Channels)
				require.Equal(t, fmt.Sprintf("%d of 8 messages are known to have been taken: the other side closed the connection: the server is shutting down",
					test.count+1), err.Error())
			})
		})
	}
}

// Who gets the gap, and who gets only the end.
func TestGapIsTheEnd(t *testing.T) {
	for name, end := range map[string]func(l *Link, r *raw){
		"lost":   func(l *Link, r *raw) { r.conn.Cut() },
		"closed": func(l *Link, r *raw) { r.write(reason(wire.TypeClose, 0, 0)) },
		"broken": func(l *Link, r *raw) { r.write(data(99, 1)) },
		"cut":    func(l *Link, r *raw) { l.Cut(io.ErrUnexpectedEOF) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				l, r := against(t, nil)
				require.NoError(t, l.Send(ctx, "x", channel.Raw, nil))
				errs := make(map[string]chan error)
				for _, call := range []struct {
					name string
					do   func() error
				}{
					{"flush", func() error { return l.Flush(ctx) }},
					{"acked", func() error { return l.SendAcked(ctx, "x", channel.Raw, nil) }},
					{"credit", func() error { return l.Send(ctx, "x", channel.Raw, make([]byte, 65500)) }},
					{"request", func() error { _, err := l.Request(ctx, "y", channel.Raw, nil); return err }},
					{"stream", func() error { _, err := l.OpenStream(ctx, "s"); return err }},
				} {
					got := make(chan error, 1)
					errs[call.name] = got
					go func() { got <- call.do() }()
					synctest.Wait()
				}
				end(l, r)
				<-l.Done()
				for _, call := range []string{"flush", "acked", "credit"} {
					g := gapOf(t, <-errs[call])
					require.Equal(t, uint64(2), g.Sent, call)
					require.Zero(t, g.Taken)
				}
				var g *channel.GapError
				for _, call := range []string{"request", "stream"} {
					err := <-errs[call]
					require.Error(t, err)
					require.False(t, errors.As(err, &g), "%s: %v", call, err)
				}
				require.Equal(t, gapOf(t, context.Cause(l.Context())), gapOf(t, l.Close(0, "")))
				require.ErrorIs(t, l.Send(ctx, "x", channel.Raw, nil), context.Cause(l.Context()))
				require.True(t, l.Ended(l.Send(ctx, "x", channel.Raw, nil)))
				require.False(t, l.Ended(context.Canceled))
			})
		})
	}
}

// Our own close is not a gap, unless it could not say what it had to.
func TestGapOfOurClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
		go func() {
			r.read()
			r.write(reason(wire.TypeClose, 0, 0))
		}()
		require.NoError(t, l.Close(0, ""))
		require.Equal(t, channel.ErrClosed, context.Cause(l.Context()))

		l, _ = againstOver(t, memnet.Config{Buffer: 10}, nil)
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
		g := gapOf(t, l.Close(0, ""))
		require.Equal(t, uint64(1), g.Sent)
		require.IsType(t, &channel.LostError{}, g.Err)
	})
}

// What a refusal has told is told; what it has not is a gap.
func TestGapAndRefusal(t *testing.T) {
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			books := NewBooks(false)
			l, r := against(t, &Config{Books: books})
			require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
			r.write(reason(wire.TypeRefuse, 1, wire.CodeNoHandler))
			synctest.Wait()
			if told {
				require.ErrorIs(t, l.Flush(t.Context()), channel.CodeNoHandler)
			}
			r.conn.Cut()
			<-l.Done()
			var g *channel.GapError
			require.Equal(t, !told, errors.As(context.Cause(l.Context()), &g))
			require.Equal(t, !told, books.Pending())
		})
	}
}

// Numbers are from the first link on, and what one link's end has told the next does not tell again by itself.
func TestGapOverLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, books := t.Context(), NewBooks(false)
		l, r := against(t, &Config{Books: books})
		for range 3 {
			require.NoError(t, l.Send(ctx, "x", channel.Raw, nil))
		}
		r.write(credit(1, 32, 70000))
		synctest.Wait()
		r.conn.Cut()
		<-l.Done()
		require.Equal(t, []channel.ChannelGap{{Channel: "x", Sent: 3, Taken: 1, Lost: 2}}, gapOf(t, context.Cause(l.Context())).Channels)
		require.True(t, books.Pending())

		l, r = against(t, &Config{Books: books})
		require.False(t, books.Pending())
		require.NoError(t, l.Send(ctx, "x", channel.Raw, nil))
		require.NoError(t, l.Send(ctx, "y", channel.Raw, nil))
		r.read()
		r.write(credit(1, 32, 70000), credit(2, 32, 70000))
		synctest.Wait()
		r.conn.Cut()
		<-l.Done()
		require.IsType(t, &channel.LostError{}, context.Cause(l.Context()))

		l, _ = against(t, &Config{Books: books})
		require.NoError(t, l.Send(ctx, "y", channel.Raw, nil))
		l.Cut(io.ErrUnexpectedEOF)
		g := gapOf(t, context.Cause(l.Context()))
		require.Equal(t, channel.GapError{Err: g.Err, Sent: 6, Taken: 3,
			Channels: []channel.ChannelGap{{Channel: "y", Sent: 2, Taken: 1, Lost: 1}}}, *g, "of x nothing more is lost")
		require.Equal(t, g, gapOf(t, books.Gap(g, false)), "a gap is not put into another")
	})
}

// Senders at once, a reader that stops at some point, then an orderly close: the numbers are exact.
func TestGapUnderConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		a, b := pairOver(t, memnet.Config{Seed: 3, Chunk: 5000, Buffer: 3000}, &Config{}, &Config{})
		sent, taken := make([]int, 8), 0
		done := make(chan struct{}, len(sent))
		for i := range sent {
			go func() {
				defer func() { done <- struct{}{} }()
				for n := 0; ; n++ {
					if a.Send(ctx, fmt.Sprint("c", i%3), channel.Raw, make([]byte, (n%5)*i*3000)) != nil {
						return
					}
					sent[i]++
				}
			}()
		}
		for range 100 {
			m, err := b.Receive(ctx)
			require.NoError(t, err)
			if len(m.Body) >= 0 {
				taken++
			}
		}
		require.NoError(t, b.Close(0, ""))
		total := 0
		for range sent {
			<-done
		}
		for _, n := range sent {
			total += n
		}
		g := gapOf(t, context.Cause(a.Context()))
		require.Equal(t, uint64(total), g.Sent)
		require.Equal(t, uint64(taken), g.Taken)
	})
}

func TestSendAcked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		a, b := pair(t, nil, nil)
		done := make([]chan error, 3)
		for i := range done {
			done[i] = make(chan error, 1)
			go func() { done[i] <- a.SendAcked(ctx, "x", channel.Raw, nil) }()
			synctest.Wait()
		}
		for i := range done {
			require.Empty(t, done[i], "it is not taken yet")
			_, err := b.Receive(ctx)
			require.NoError(t, err)
			synctest.Wait()
			require.NoError(t, <-done[i])
		}
		given, cancel := context.WithCancelCause(ctx)
		cancel(io.ErrShortWrite)
		require.ErrorIs(t, a.SendAcked(given, "x", channel.Raw, nil), io.ErrShortWrite)
		require.Error(t, a.SendAcked(ctx, "x", 7, nil))
		require.ErrorIs(t, a.SendAcked(ctx, "x", channel.Raw, make([]byte, wire.DefaultMaxMessage)), channel.CodeTooLarge)

		var mux channel.Mux
		c, d := pair(t, nil, &Config{Mux: &mux})
		d.Run()
		require.ErrorIs(t, c.SendAcked(ctx, "x", channel.Raw, nil), channel.CodeNoHandler)
		require.ErrorIs(t, c.SendAcked(ctx, "x", channel.Raw, nil), channel.CodeNoHandler)
	})
}

func TestCosts(t *testing.T) {
	var c costs
	for range 3 {
		c.add(40, numbered)
	}
	c.add(40, 0)
	c.add(100, numbered)
	require.Len(t, c.q, 2)
	require.Equal(t, uint64(0), c.behind(0))
	require.Equal(t, uint64(140), c.behind(1))
	require.Equal(t, uint64(220), c.behind(3))
	require.Equal(t, uint64(0), c.take(39))
	require.Equal(t, uint64(2), c.take(60))
	require.Equal(t, uint64(1), c.take(61), "the request has no number")
	require.Equal(t, uint64(1), c.take(100))
	require.Empty(t, c.q)
	require.Zero(t, c.last.count())
	require.Zero(t, c.over)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for i := range uint64(50) {
			c.add(40+i%3, numbered)
		}
		require.Equal(t, uint64(50), c.take(40*50+49))
		for i := range uint64(50) {
			c.add(40+i%3, numbered)
			c.add(40+i%3, numbered)
			c.take(40 + i%3)
			c.take(40 + i%3)
		}
	}))
}
