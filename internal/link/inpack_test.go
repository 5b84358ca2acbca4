package link

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"unsafe"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// smallFrame is a message of which bodies that differ can be told apart.
func smallFrame(id uint32, enc channel.Encoding, body string) []byte {
	return wire.AppendMessage(nil, id, wire.EncodingFlags(uint8(enc)), wire.MessageStart{}, []byte(body))
}

// handled is what a handler sees of a message.
type handled struct {
	body   string
	enc    channel.Encoding
	missed uint64
	taken  uint64 // the channel's total then
}

// smallTraffic makes batches of frames for channel 1, most of them small messages, and says what
// its handler is to see. taken is the total in the end.
func smallTraffic(rnd *rand.Rand) (batches [][]byte, wants []handled, taken uint64) {
	missed := uint64(0)
	var batch []byte
	for i := range uint32(150) {
		n := rnd.IntN(20)
		if rnd.IntN(8) == 0 {
			n = maxPacked - 10 + rnd.IntN(20)
		}
		body := string("hesmall"[rnd.IntN(7)]) + fmt.Sprint(i) + strings.Repeat(".", n)
		if rnd.IntN(10) == 0 {
			body = ""
		}
		w := handled{body: body, enc: channel.Encoding(rnd.IntN(3))}
		switch rnd.IntN(12) {
		case 0:
			batch = wire.AppendSkip(batch, 1, 7)
			if len(wants) > 0 {
				wants[len(wants)-1].taken += 7
			}
			taken += 7
			continue
		case 1:
			batch = wire.AppendGap(batch, 1, 2)
			missed += 2
			continue
		case 2:
			batch = wire.AppendMessage(batch, 1, wire.FlagRequest|wire.EncodingFlags(uint8(w.enc)),
				wire.MessageStart{Request: i + 1, Allowance: wire.MinAllowance}, []byte(body))
		case 3:
			batches, batch = append(batches, batch), nil
			fallthrough
		default:
			w.missed, missed = missed, 0
			batch = append(batch, smallFrame(1, w.enc, body)...)
		}
		taken += uint64(len(body)) + wire.MessageOverhead
		w.taken = taken
		wants = append(wants, w)
	}
	return append(batches, batch), wants, taken
}

// Whatever comes between small messages, and however they are cut into batches, they come to their
// handler one after the other, as they were sent, and each is counted when its turn comes.
func TestSmallMessagesModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		synctest.Test(t, func(t *testing.T) {
			var mux channel.Mux
			var got []handled
			var l *Link
			hold := make(chan struct{})
			mux.Handle("x", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
				got = append(got, handled{string(m.Body), m.Encoding, m.Missed, l.in[0].total()})
				switch {
				case strings.HasPrefix(string(m.Body), "h"):
					<-hold
				case strings.HasPrefix(string(m.Body), "e"):
					runtime.Goexit()
				}
				return nil
			})
			l, r := against(t, &Config{Mux: &mux})
			if rnd.IntN(2) == 0 {
				l.Run()
			}
			batches, wants, taken := smallTraffic(rnd)
			r.write(chFrame(1, "x"))
			for _, batch := range batches {
				r.write(batch)
				synctest.Wait()
			}
			close(hold)
			l.Run()
			r.read()
			require.Len(t, got, len(wants))
			for i := range wants {
				w, g := wants[i], got[i]
				// What is skipped while nothing waits is taken at once and not with the message before.
				require.GreaterOrEqual(t, w.taken, g.taken)
				require.Less(t, w.taken-g.taken, uint64(7*20))
				w.taken, g.taken = 0, 0
				require.Equal(t, w, g, i)
			}
			require.Equal(t, taken, l.in[0].total())
		})
	}
}

// A message and its body are the receiver's to keep and to change, and nothing of the others is kept with them.
func TestSmallMessagesAreTheReceivers(t *testing.T) {
	var mux channel.Mux
	var kept *channel.Message
	var others []weak.Pointer[channel.Message]
	var bodies []weak.Pointer[byte]
	done := make(chan struct{})
	const n = 500
	mux.Handle("x", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		if string(m.Body) != fmt.Sprintf("%04d", len(others)) || cap(m.Body) != len(m.Body) {
			t.Errorf("message %d: %q with room for %d", len(others), m.Body, cap(m.Body))
		}
		others = append(others, weak.Make(m))
		bodies = append(bodies, weak.Make(&m.Body[0]))
		if len(others) == n/2 {
			kept = m
			kept.Body = append(kept.Body, "changed"...)
		} else {
			clear(m.Body)
		}
		if len(others) == n {
			close(done)
		}
		return nil
	})
	conn, _ := memnet.Pipe(memnet.Config{})
	l := start(t, conn, "b", &Config{Mux: &mux})
	frames := chFrame(1, "x")
	for i := range n {
		frames = append(frames, smallFrame(1, channel.Raw, fmt.Sprintf("%04d", i))...)
	}
	_, err := l.frames(frames)
	require.NoError(t, err)
	clear(frames)
	l.Run()
	<-done
	l.Quiesce(t.Context())
	runtime.GC()
	runtime.GC()
	for i := range others {
		if i != n/2-1 {
			require.Nil(t, others[i].Value(), i)
			require.Nil(t, bodies[i].Value(), i)
		}
	}
	require.Equal(t, "0249changed", string(kept.Body))
	require.Equal(t, "x", kept.Channel)
	require.Equal(t, "b", kept.From.Name)
}

// waitingMemory is what waits for the handler of a channel in its queue takes.
func waitingMemory(ch *inChan) (n int) {
	n = cap(ch.queue) * int(unsafe.Sizeof(queued{}))
	for _, e := range ch.queue {
		if e.msg != nil {
			n += int(unsafe.Sizeof(channel.Message{})) + cap(e.msg.Body)
		}
		if e.pack != nil {
			n += int(unsafe.Sizeof(pack{})) + cap(e.pack.b)
		}
	}
	return n
}

// What waits of small messages takes no more memory than server.Limits says, however their sender
// mixes them with what ends a pack.
func TestSmallMessagesHoldNoMore(t *testing.T) {
	id := uint32(0)
	request := func() []byte { id++; return reqFrames(1, id, 0) }
	for name, next := range map[string]func() []byte{
		"empty":    func() []byte { return msgFrames(1, 0) },
		"one byte": func() []byte { return msgFrames(1, 1) },
		"largest":  func() []byte { return msgFrames(1, maxPacked) },
		"skips":    func() []byte { return append(msgFrames(1, 0), wire.AppendSkip(nil, 1, 1)...) },
		"requests": func() []byte { return append(msgFrames(1, 0), request()...) },
		"large":    func() []byte { return append(msgFrames(1, 0), msgFrames(1, maxPacked+1)...) },
		"packs": func() []byte {
			return append(append(repeat(70, func(uint32) []byte { return msgFrames(1, 50) }), request()...),
				append(msgFrames(1, 0), request()...)...)
		},
	} {
		for _, batch := range []int{1, 7, 1 << 20} {
			t.Run(fmt.Sprint(name, " ", batch), func(t *testing.T) {
				var mux channel.Mux
				mux.Handle("x", block)
				conn, _ := memnet.Pipe(memnet.Config{})
				l := start(t, conn, "b", &Config{Mux: &mux})
				_, err := l.frames(chFrame(1, "x"))
				require.NoError(t, err)
				ch := l.in[0]
				frames := next()
				for before := uint64(0); ; before = ch.received {
					for i := 1; i < batch && len(frames) < 1<<15; i++ {
						frames = append(frames, next()...)
					}
					if _, err := l.frames(frames); err != nil {
						break // the credit is used up
					}
					frames = next()
					if ch.received-before > flow.Guaranteed-ch.received {
						batch = 1
					}
				}
				require.Greater(t, ch.received, uint64(flow.Guaranteed*9/10))
				require.LessOrEqual(t, waitingMemory(ch), 4*flow.Guaranteed)
			})
		}
	}
}

// What a handler has not come to of a pack goes with the link that is ended.
func TestEndedLinkHoldsNoPack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		handled := 0
		release := make(chan struct{})
		mux.Handle("h", func(context.Context, channel.Conn, *channel.Message) error {
			if handled++; handled == 3 {
				<-release
			}
			return nil
		})
		l, r := against(t, &Config{Mux: &mux})
		small := repeat(100, func(uint32) []byte { return msgFrames(1, 100) })
		r.write(chFrame(1, "h"), small)
		synctest.Wait()
		l.Run()
		synctest.Wait()
		r.write(small)
		synctest.Wait()
		require.Greater(t, arrivedBytes(l), 190*100)
		require.NotNil(t, l.in[0].batch.pack.Load(), "the handler is at the third message of it")
		l.Kick(channel.CodeKicked, "")
		require.Zero(t, arrivedBytes(l))
		close(release)
		synctest.Wait()
		require.Equal(t, 3, handled)
		require.EqualValues(t, 3*132, l.in[0].total())
	})
}

// What comes with the other side's CLOSE, before it, is handled.
func TestSmallMessagesBeforeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var got []string
		mux.Handle("x", record(&got))
		l, r := against(t, &Config{Mux: &mux})
		l.Run()
		r.write(chFrame(1, "x"), smallFrame(1, 0, "1"), smallFrame(1, 0, "2"), smallFrame(1, 0, "3"), reason(wire.TypeClose, 0, 0),
			smallFrame(1, 0, "4"))
		synctest.Wait()
		require.Equal(t, []string{"x1", "x2", "x3"}, got)
		require.EqualValues(t, 99, l.in[0].total())
	})
}

// Receive gets small messages in the order of their arrival, whatever their channels, and handlers
// those of theirs, also when one is there late or goes.
func TestSmallMessagesForReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var got []string
		l, r := against(t, &Config{Mux: &mux})
		l.Pull()
		batch := func(n string) {
			r.write(smallFrame(1, 0, n), smallFrame(2, 0, n), smallFrame(1, 0, n+n), smallFrame(2, 0, n+n))
			synctest.Wait()
		}
		received := func(want ...string) {
			for _, w := range want {
				m, err := l.Receive(t.Context())
				require.NoError(t, err)
				require.Equal(t, w, m.Channel+string(m.Body))
			}
			require.Zero(t, len(l.pulled.q)-l.pulled.head)
		}
		r.write(chFrame(1, "a"), chFrame(2, "b"))
		batch("1")
		received("a1", "b1", "a11", "b11")
		var mu sync.Mutex
		mux.Fallback(func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			mu.Lock()
			defer mu.Unlock()
			return record(&got)(ctx, from, m)
		})
		batch("2")
		batch("3")
		inOrder := func(want ...string) {
			of := map[string][]string{}
			for _, m := range got {
				of[m[:1]] = append(of[m[:1]], m[1:])
			}
			require.Equal(t, map[string][]string{"a": want, "b": want}, of)
		}
		inOrder("2", "22", "3", "33")
		mux.Fallback(nil)
		got = nil
		batch("4") // the first since the handlers went: only what is of one channel is in order
		for range 4 {
			m, err := l.Receive(t.Context())
			require.NoError(t, err)
			got = append(got, m.Channel+string(m.Body))
		}
		inOrder("4", "44")
		batch("5")
		received("a5", "b5", "a55", "b55")
	})
}

// A small message costs its receiver one allocation, which is its own.
func TestSmallMessageAllocations(t *testing.T) {
	const n = 700
	var mux channel.Mux
	handled, done := 0, make(chan struct{}, 1)
	mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error {
		if handled++; handled%n == 0 {
			done <- struct{}{}
		}
		return nil
	})
	conn, _ := memnet.Pipe(memnet.Config{})
	l := start(t, conn, "b", &Config{Mux: &mux})
	l.Run()
	_, err := l.frames(chFrame(1, "x"))
	require.NoError(t, err)
	l.in[0].allowed.Store(1 << 60)
	l.in[0].ordinary.Store(1 << 60)
	l.in[0].reportAt.Store(1 << 60)
	l.reporting.Store(true) // or a timer would take back what was allowed
	frames := repeat(n, func(uint32) []byte { return msgFrames(1, 64) })
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := l.frames(frames); err != nil {
			t.Error(err)
		}
		<-done
	})
	require.LessOrEqual(t, allocs, n*1.1)
}

// TestReceiveAfterAHandlerIsGone: messages come to Receive in the order of their arrival from the
// first on that has no handler any more.
func TestReceiveAfterAHandlerIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		mux.Fallback(func(context.Context, channel.Conn, *channel.Message) error { return nil })
		l, r := against(t, &Config{Mux: &mux})
		l.Pull()
		r.write(chFrame(1, "a"), msgFrames(1, 1))
		synctest.Wait()
		mux.Fallback(nil)
		r.write(chFrame(2, "b"), msgFrames(1, 2), msgFrames(2, 3))
		synctest.Wait()
		m, err := l.Receive(t.Context())
		require.NoError(t, err)
		require.Len(t, m.Body, 2)
	})
}
