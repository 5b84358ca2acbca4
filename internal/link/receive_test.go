package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// numberedBodies sends n messages on a channel whose bodies are its name and number.
func numberedBodies(t *testing.T, l *Link, name string, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, l.Send(t.Context(), name, channel.Raw, fmt.Append(nil, name, i)))
	}
}

func nextBody(t *testing.T, l *Link, channels ...string) string {
	t.Helper()
	m, err := l.Receive(t.Context(), channels...)
	require.NoError(t, err)
	return string(m.Body)
}

func TestReceiveOfSomeChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, nil)
		b.Pull()
		for _, name := range []string{"x", "y", "x", "z", "y"} {
			require.NoError(t, a.Send(t.Context(), name, channel.Raw, []byte(name)))
			synctest.Wait()
		}
		require.Equal(t, "z", nextBody(t, b, "z"))
		require.Equal(t, "y", nextBody(t, b, "y", "z"))
		require.Equal(t, "x", nextBody(t, b), "the first of all")
		require.Equal(t, "x", nextBody(t, b, "y", "x", "x"), "the first of these")
		require.Equal(t, "y", nextBody(t, b))
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		_, err := b.Receive(ctx, "x")
		require.EqualError(t, err, "enough")
		require.Empty(t, b.receivers)
	})
}

// Several that receive different channels at once get all of theirs in order, whatever waits on a
// channel that nobody wants, and has used its credit up.
func TestReceiversDoNotStarve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, nil)
		b.Pull()
		require.NoError(t, a.Send(t.Context(), "nobody", channel.Raw, make([]byte, 60000)))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = a.Send(ctx, "nobody", channel.Raw, make([]byte, 60000)) }()
		const messages = 2000
		var wg sync.WaitGroup
		for _, name := range []string{"x", "y", "z"} {
			wg.Go(func() { numberedBodies(t, a, name, messages) })
			wg.Go(func() {
				for i := range messages {
					require.Equal(t, fmt.Sprint(name, i), nextBody(t, b, name))
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, len(b.pulled.q), 200, "places of messages that have left are closed")
		require.Len(t, nextBody(t, b), 60000)
		cancel()
		synctest.Wait()
	})
}

// Of several that wait for one channel each message goes to one of them, and a wait that ends takes none with it.
func TestReceiversOfOneChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, nil)
		got := make(chan string, 100)
		for range 4 {
			go func() {
				for {
					m, err := b.Receive(t.Context(), "x", "y")
					if err != nil {
						return
					}
					got <- string(m.Body)
				}
			}()
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range 4 {
			go func() { _, _ = b.Receive(ctx, "other") }()
		}
		synctest.Wait()
		require.Len(t, b.receivers, 8)
		cancel()
		synctest.Wait()
		require.Len(t, b.receivers, 4)
		numberedBodies(t, a, "x", 10)
		synctest.Wait()
		var all []string
		for range 10 {
			all = append(all, <-got)
		}
		slices.Sort(all)
		require.Equal(t, []string{"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9"}, all)
		require.Len(t, b.receivers, 4)
		a.Cut(channel.ErrClosed)
		synctest.Wait()
		require.Empty(t, b.receivers, "the end wakes all")
	})
}

// A SKIP behind a message that was taken out of its turn is not lost, nor one behind what waits.
func TestSkipsBetweenPulledMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		l.Pull()
		r.write(chFrame(1, "x"), chFrame(2, "y"), msgFrames(1, 0), msgFrames(2, 0), msgFrames(2, 0), wire.AppendSkip(nil, 2, 100))
		synctest.Wait()
		for range 2 {
			nextBody(t, l, "y")
		}
		r.write(wire.AppendProbe(nil, 2, 164), wire.AppendSkip(nil, 2, 50), wire.AppendProbe(nil, 2, 214), wire.AppendProbe(nil, 1, 32))
		lines := r.lines()
		require.Equal(t, "CREDIT 2 214 65750", lines[len(lines)-1])
	})
}

// A handler that is registered late gets what waits, in order, also when messages were taken out of their turn.
func TestHandlerAfterReceiveOfSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		a, b := pair(t, nil, &Config{Mux: &mux})
		b.Pull()
		for _, name := range []string{"x", "y", "z"} {
			numberedBodies(t, a, name, 3)
		}
		synctest.Wait()
		require.Equal(t, "y0", nextBody(t, b, "y"))
		require.Equal(t, "z0", nextBody(t, b, "z"))
		var got []string
		mux.Handle("y", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			got = append(got, string(m.Body))
			return nil
		})
		require.Equal(t, "z1", nextBody(t, b, "z", "y"))
		synctest.Wait()
		require.Equal(t, []string{"y1", "y2"}, got)
		require.Equal(t, "x0", nextBody(t, b))
	})
}

// The queue gives what a plain list would, whoever takes what.
func TestPullQueueModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		var p pullQueue
		var model []inMsg
		chans := make([]*inChan, 1+rnd.IntN(5))
		for i := range chans {
			chans[i] = new(inChan)
		}
		next := uint64(0)
		wanted := rnd.IntN(len(chans) + 1) // one that is seldom taken from, or none
		for range 700 {
			switch ch := chans[rnd.IntN(len(chans))]; rnd.IntN(9) {
			case 0, 1, 2, 3:
				next++
				m := inMsg{ch: ch, cost: next}
				p.push(m)
				model = append(model, m)
			case 4:
				m, ok := p.pop()
				require.Equal(t, len(model) > 0, ok)
				if ok {
					require.Equal(t, model[0], m)
					model = model[1:]
				}
			default:
				if wanted < len(chans) && ch == chans[wanted] {
					continue
				}
				i := slices.IndexFunc(model, func(m inMsg) bool { return m.ch == ch })
				require.Equal(t, i >= 0, p.holds(ch))
				if i >= 0 {
					require.Equal(t, model[i], p.popOf(ch))
					model = slices.Delete(model, i, i+1)
				}
			}
			for _, ch := range chans {
				var last *inMsg
				for i := range model {
					if model[i].ch == ch {
						last = &model[i]
					}
				}
				require.Equal(t, last, p.held(ch))
			}
			require.LessOrEqual(t, len(p.q)-p.head, 2*len(model)+66)
		}
		require.ElementsMatch(t, model, p.take())
		require.Zero(t, len(p.q))
	}
}
