package link

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// What is legal though it looks odd does not end the link.
func TestOddities(t *testing.T) {
	c1 := chFrame(1, "h")
	for name, frames := range map[string][]byte{
		"stop for a closed stream": append(append(open(1), reason(wire.TypeReset, 1, 0)...),
			append(reason(wire.TypeStop, 1, 0), reason(wire.TypeStop, 1, 0)...)...),
		"window for a closed stream": append(append(open(1), reason(wire.TypeReset, 1, 0)...),
			append(reason(wire.TypeStop, 1, 0), wire.AppendWindow(nil, 1, 1<<20)...)...),
		"window the same again":   append(wire.AppendWindow(nil, 2, 70000), wire.AppendWindow(nil, 2, 70000)...),
		"window for an ended one": append(reason(wire.TypeStop, 2, 0), wire.AppendWindow(nil, 2, 70000)...),
		"probe of nothing":        append(c1, wire.AppendProbe(nil, 1, 0)...),
		"probe repeated":          append(append(c1, msgFrames(1, 0)...), append(wire.AppendProbe(nil, 1, 32), wire.AppendProbe(nil, 1, 32)...)...),
		"probe lower than before": append(append(c1, msgFrames(1, 0)...),
			append(wire.AppendProbe(nil, 1, 32), wire.AppendProbe(nil, 1, 5)...)...),
		"credit for a refused channel": append(reason(wire.TypeRefuse, 1, 17), credit(1, 37, 70000)...),
		"credit the same again":        append(credit(1, 37, 70000), credit(1, 37, 70000)...),
		"credit without limit":         credit(1, 37, 1<<64-1),
		"cancel of nothing":            empty(wire.TypeCancel, 9),
		"cancel twice":                 append(append(c1, reqFrames(1, 3, 0)...), append(empty(wire.TypeCancel, 3), empty(wire.TypeCancel, 3)...)...),
		"grant of an answered request": append(append(chFrame(1, "nobody"), reqFrames(1, 3, 0)...), empty(wire.TypeAnswerGrant, 3)...),
		"announced and an error":       append(wire.AppendAnswerAnnounce(nil, 1, 70000), wire.ErrorBody{Code: 21}.Append(nil, 1)...),
		"announced and a small answer": append(wire.AppendAnswerAnnounce(nil, 1, 70000), wire.AppendAnswer(nil, 1, 0, nil)...),
		"announced what fits":          append(c1, wire.AppendAnnounce(nil, 1, 65537)...),
		"skip of all":                  append(c1, wire.AppendSkip(nil, 1, 65536)...),
		"pong that nobody asked for":   empty(wire.TypePong, 77),
		"progress the same again":      append(wire.AppendProgress(nil, 20), wire.AppendProgress(nil, 20)...),
		"accept and the end":           append(empty(wire.TypeAccept, 2), empty(wire.TypeEnd, 2)...),
		"data before accept":           data(2, 100),
		"reset and stop":               append(reason(wire.TypeReset, 2, 18), reason(wire.TypeStop, 2, 18)...),
		"stop and reset":               append(reason(wire.TypeStop, 2, 18), reason(wire.TypeReset, 2, 18)...),
		"open and all of it":           append(append(open(1), data(1, 65536)...), empty(wire.TypeEnd, 1)...),
		"messages on refused channel":  append(chFrame(1, "nobody"), repeat(20, func(uint32) []byte { return msgFrames(1, 3000) })...),
		"announce on refused channel":  append(append(chFrame(1, "nobody"), msgFrames(1, 1)...), wire.AppendAnnounce(nil, 1, 1<<20)...),
		"unknown code":                 reason(wire.TypeStop, 2, 60000),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ls Listeners
				ln, err := ls.Listen("s")
				require.NoError(t, err)
				defer ln.Close()
				l, r := against(t, &Config{Mux: blocking(), MaxMessage: 1 << 20, Listeners: &ls})
				l.Run()
				ours(t, l)
				r.read()
				r.write(frames)
				r.write(empty(wire.TypePing, 5))
				lines := strings.Join(r.lines(), ", ")
				require.Contains(t, lines, "PONG 5")
				require.NotContains(t, lines, "CLOSE")
			})
		})
	}
}

// A peer that sends and does not read what it is answered costs bounded memory.
func TestFloods(t *testing.T) {
	c1 := chFrame(1, "h")
	for name, frames := range map[string][]byte{
		"pings": repeat(10000, func(i uint32) []byte { return empty(wire.TypePing, i) }),
		"streams opened and ended": repeat(1000, func(i uint32) []byte {
			return append(wire.AppendOpenStream(nil, 2*i-1, "nobody"), empty(wire.TypeEnd, 2*i-1)...)
		}),
		"channels that are refused": repeat(300, func(i uint32) []byte {
			return append(channelNumber(i), repeat(500, func(uint32) []byte { return msgFrames(i, 0) })...)
		}),
		"skips": append(append(c1, msgFrames(1, 0)...), repeat(60000, func(uint32) []byte { return wire.AppendSkip(nil, 1, 1) })...),
		"probes": append(append(c1, msgFrames(1, 0)...), repeat(10000, func(i uint32) []byte {
			return wire.AppendProbe(nil, 1, uint64(i%33))
		})...),
		"announcements": repeat(1000, func(i uint32) []byte {
			return append(channelNumber(i), wire.AppendAnnounce(nil, i, 1<<20)...)
		}),
		// Channel 1 is granted one that it never uses, others what is left of the pool, until one waits.
		"announcements of what is allowed": slices.Concat(
			channelNumber(1), wire.AppendAnnounce(nil, 1, 70000),
			repeat(6, func(i uint32) []byte { return append(channelNumber(i+1), wire.AppendAnnounce(nil, i+1, 1<<20)...) }),
			repeat(10000, func(uint32) []byte { return wire.AppendAnnounce(nil, 1, 65537) })),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, r := againstOver(t, memnet.Config{Buffer: 1 << 10}, &Config{Mux: blocking(), MaxMessage: 1 << 20})
				l.Run()
				r.write(frames)
				synctest.Wait()
				l.mu.Lock()
				defer l.mu.Unlock()
				require.NotEqual(t, stateDead, l.state)
				require.LessOrEqual(t, len(l.sched.control), 2*wire.MaxChannels)
				require.LessOrEqual(t, len(l.streams), wire.MaxStreams)
				require.LessOrEqual(t, l.sched.queued, 1<<20)
				require.LessOrEqual(t, len(l.budget.announced), wire.MaxChannels)
				require.LessOrEqual(t, l.budget.pool.Used(), uint64(1<<20+4<<20))
				for _, ch := range l.in {
					require.LessOrEqual(t, cap(ch.queue), 4096)
				}
			})
		})
	}
}

// What is over a limit that a well-behaved peer cannot reach ends the link, also while it does not read our answers.
func TestFloodsThatEnd(t *testing.T) {
	for name, frames := range map[string][]byte{
		"streams opened and ended": repeat(8000, func(i uint32) []byte {
			return append(wire.AppendOpenStream(nil, 2*i-1, "nobody"), empty(wire.TypeEnd, 2*i-1)...)
		}),
		"requests that are refused": repeat(40, func(i uint32) []byte {
			return append(channelNumber(i), repeat(500, func(n uint32) []byte { return reqFrames(i, 1000*i+n, 0) })...)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, r := againstOver(t, memnet.Config{Buffer: 1 << 10}, &Config{Mux: blocking()})
				l.Run()
				go func() { _, _ = r.conn.Write(frames) }()
				<-l.Done()
				var lost *channel.LostError
				require.ErrorAs(t, context.Cause(l.Context()), &lost)
				require.ErrorContains(t, lost, "protocol error")
			})
		})
	}
}

// Credit that is given back counts as taken when what came before it is, and takes no place of its own.
func TestSkipsJoinWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		skips := repeat(500, func(uint32) []byte { return wire.AppendSkip(nil, 1, 2) })
		r.write(chFrame(1, "x"), chFrame(2, "y"), skips, msgFrames(1, 0), skips, msgFrames(2, 0), skips, msgFrames(1, 0), skips)
		synctest.Wait()
		require.Len(t, l.pulled.q, 3)
		for _, want := range []uint64{1000 + 32 + 2000, 1000 + 32 + 2000, 1000 + 2*32 + 3000} {
			_, err := l.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, l.in[0].total())
		}
		require.Equal(t, l.in[0].received, l.in[0].total())
	})
}

// Nothing that is refused is kept: the pool that a refused channel had is given to others.
func TestRefusedChannelKeepsNoBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{MaxMessage: 1 << 20})
		l.Run()
		r.write(chFrame(1, "nobody"), wire.AppendAnnounce(nil, 1, 1<<20))
		require.Equal(t, []string{"CREDIT 1 0 1048576"}, r.lines())
		require.NotZero(t, l.budget.pool.Used())
		r.write(msgFrames(1, 0))
		require.Equal(t, []string{"REFUSE 1 code 17"}, r.lines())
		require.Zero(t, l.budget.pool.Used())
		r.write(large(1, 900000, 1))
		synctest.Wait()
		require.True(t, l.in[0].part.open)
		require.Nil(t, l.in[0].part.b)
	})
}

// A channel that is refused in the middle of a message lets go of what it has of it.
func TestRefusedWithinAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		r.write(chFrame(1, "nobody"), reqFrames(1, 5, 0), large(1, 50000, 1))
		require.Empty(t, r.lines())
		require.NotNil(t, l.in[0].part.b)
		l.Run()
		require.Equal(t, []string{"ANSWER 5 error 17", "REFUSE 1 code 17"}, sorted(r.lines()))
		r.write(msgFrames(1, 50000)[wire.MaxFrame : 2*wire.MaxFrame])
		synctest.Wait()
		require.Nil(t, l.in[0].part.b)
		r.write(msgFrames(1, 50000)[2*wire.MaxFrame:], reqFrames(1, 6, 100))
		require.Equal(t, []string{"ANSWER 6 error 17"}, r.lines())
	})
}

// A window may grow beyond the largest message; a message may not.
func TestMessageBeyondMaxMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{MaxMessage: wire.MinMaxMessage})
		r.write(chFrame(1, "x"))
		for range 8 {
			r.write(msgFrames(1, 60000))
			_, err := l.Receive(t.Context())
			require.NoError(t, err)
			r.read()
		}
		require.Greater(t, l.in[0].allowed.Load()-l.in[0].received, uint64(100000))
		r.write(msgFrames(1, 65536-31))
		requireBreach(t, l, r)
	})
}
