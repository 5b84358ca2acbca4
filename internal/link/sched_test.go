package link

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// bulk queues n bytes on a channel of a link whose other side allows any amount.
func bulk(t *testing.T, l *Link, r *raw, id uint32, name string, n int) {
	t.Helper()
	require.NoError(t, l.Send(t.Context(), name, channel.Raw, nil))
	synctest.Wait()
	r.write(credit(id, 0, 1<<40))
	synctest.Wait()
	for ; n > 0; n -= 60000 {
		require.NoError(t, l.Send(t.Context(), name, channel.Raw, make([]byte, 60000)))
	}
}

// bytesUntil counts the bytes of frames until there is one for an id, which it returns.
func bytesUntil(frames []frame, id uint32) (n int) {
	for _, f := range frames {
		if f.Type == wire.TypeMessage && f.ID == id {
			return n
		}
		n += wire.HeaderSize + len(f.p)
	}
	return -1
}

func TestSmallMessageLeavesWithinOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := againstOver(t, memnet.Config{Buffer: 1000}, nil)
		bulk(t, l, r, 1, "bulk", 600000)
		synctest.Wait() // the writer is stuck in its first batch
		l.mu.Lock()
		before := l.pace.Sent
		l.mu.Unlock()
		require.NoError(t, l.Send(t.Context(), "small", channel.Raw, []byte("x")))
		frames := r.read()
		at := bytesUntil(frames, 2)
		require.Greater(t, at, 0)
		require.LessOrEqual(t, at, int(before)+2*quantum)
	})
}

func TestSmallMessageDoesNotWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := againstOver(t, memnet.Config{Buffer: 1000}, nil)
		bulk(t, l, r, 1, "bulk", maxQueued+60000)
		more := make(chan error, 1)
		go func() { more <- l.Send(t.Context(), "bulk", channel.Raw, make([]byte, 10)) }()
		synctest.Wait()
		require.Empty(t, more, "the queue is full")
		require.NoError(t, l.Send(t.Context(), "small", channel.Raw, []byte("x")))
		require.NotEmpty(t, r.read())
		require.NoError(t, <-more)
	})
}

// pushFrames queues frames, each on its own as those who push do: no chunk is larger than its pool's.
func pushFrames(s *sched, f *lane, frames []byte) {
	for len(frames) > 0 {
		n := wire.HeaderSize + int(binary.BigEndian.Uint16(frames[2:4]))
		s.push(f, frames[:n], nil)
		frames = frames[n:]
	}
}

// What others relay to a link does not keep its own senders out.
func TestRelayedBytesTakeNoRoom(t *testing.T) {
	s := sched{most: maxQueued}
	relayed, own := lane{relay: &relayEnd{}}, lane{}
	pushFrames(&s, &relayed, data(1, 2*maxQueued))
	s.push(&own, msgFrames(1, 10), nil)
	require.False(t, s.full(&own, 10))
	pushFrames(&s, &own, msgFrames(1, maxQueued))
	require.True(t, s.full(&own, 10))
	s.drop(&own)
	s.drop(&relayed)
	require.Zero(t, s.relayed)
}

// What is foreign has room of its own, and a bound.
func TestForeignBytesTakeNoRoom(t *testing.T) {
	s := sched{most: maxQueued}
	foreign, own := lane{foreign: true}, lane{}
	s.push(&own, msgFrames(1, 10), nil)
	pushFrames(&s, &foreign, data(1, 2*maxQueued))
	require.False(t, s.full(&own, 10))
	require.True(t, s.full(&foreign, 10))
	require.True(t, s.full(&lane{foreign: true}, 1), "also on an empty lane")
	s.drop(&foreign)
	pushFrames(&s, &own, data(1, maxQueued))
	require.False(t, s.full(&foreign, 10))
	require.True(t, s.full(&own, 10))
	s.drop(&own)
	require.Zero(t, s.foreign)
	require.Zero(t, s.own())
}

// All that is foreign together has the turn of one lane, and a small part of it while much of the
// application's own waits, but something in any case.
func TestForeignTurns(t *testing.T) {
	for name, c := range map[string]struct {
		own         int // bytes that wait all the time
		least, most int // what the foreign lanes together get of 1,000 bytes
	}{
		"little waits": {maxQueued / 4, 450, 550},
		"much waits":   {maxQueued * 3 / 4, 30, 70},
		"alone":        {0, 1000, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			s := sched{most: maxQueued}
			own := lane{}
			foreign := make([]lane, 60)
			for i := range foreign {
				foreign[i].foreign = true
			}
			sent := [3]int{}
			var d relayedOut
			for range 200 { // until the largest frames have had their turns
				for own.q.size < c.own {
					s.push(&own, msgFrames(1, 5000), nil)
				}
				for i := range foreign {
					for foreign[i].q.size < 40000 {
						s.push(&foreign[i], msgFrames(2, []int{wire.MaxPayload, 10, 3000}[i%3]), nil)
					}
				}
				out := s.appendData(nil, maxBatch, 1<<30, &d)
				for len(out) > 0 {
					n, err := wire.Complete(out)
					require.NoError(t, err)
					h, _ := wire.ParseHeader(out)
					sent[h.ID] += n
					out = out[n:]
				}
			}
			part := 1000 * sent[2] / (sent[1] + sent[2])
			require.GreaterOrEqual(t, part, c.least)
			require.LessOrEqual(t, part, c.most)
			require.Equal(t, len(foreign), s.foreigners)
			s.dropAll()
			require.Zero(t, s.foreigners+s.foreign+s.queued)
		})
	}
}

func TestControlGoesBeforeData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := againstOver(t, memnet.Config{Buffer: 1000}, nil)
		bulk(t, l, r, 1, "bulk", 600000)
		synctest.Wait()
		l.mu.Lock()
		before := int(l.pace.Sent)
		l.mu.Unlock()
		r.write(empty(wire.TypePing, 9))
		n := 0
		for _, f := range r.read() {
			if f.Type == wire.TypePong {
				require.LessOrEqual(t, n, before)
				return
			}
			n += wire.HeaderSize + len(f.p)
		}
		t.Fatal("no PONG")
	})
}

// Lanes share by bytes, whatever the sizes of their messages.
func TestFairness(t *testing.T) {
	var s sched
	var a, b, c lane
	fill := func(f *lane, id uint32, size int) {
		for f.q.size < 1<<20 {
			s.push(f, msgFrames(id, size), nil)
		}
	}
	fill(&a, 1, 16384)
	fill(&b, 2, 10)
	fill(&c, 3, 5000)
	sent := [4]int{}
	var d relayedOut
	for range 30 {
		out := s.appendData(nil, maxBatch, 1<<30, &d)
		require.LessOrEqual(t, len(out), maxBatch)
		for len(out) > 0 {
			n, err := wire.Complete(out)
			require.NoError(t, err)
			h, _ := wire.ParseHeader(out)
			sent[h.ID] += n
			out = out[n:]
		}
		for _, x := range sent[1:] {
			for _, y := range sent[1:] {
				require.LessOrEqual(t, x-y, 2*quantum)
			}
		}
	}
	require.Equal(t, s.queued, a.q.size+b.q.size+c.q.size)
	s.drop(&b)
	s.dropAll()
	require.Zero(t, s.queued)
	require.True(t, s.idle())
	require.Equal(t, frameQueue{}, a.q)
}

func TestWhatIsUnderWayIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		r.silent = true
		bulk(t, l, r, 1, "bulk", 900000)
		r.read()
		require.LessOrEqual(t, r.total, flow.MinFlight+maxControl)
		require.Greater(t, r.total, wire.MinUnderWay)
		stuck := r.total
		require.NoError(t, l.Send(t.Context(), "y", channel.Raw, nil))
		r.write(empty(wire.TypePing, 1))
		require.Equal(t, []string{"CHANNEL 2", "PONG 1"}, sorted(r.lines()), "only control")
		r.write(wire.AppendProgress(nil, uint64(stuck)))
		r.read()
		require.Greater(t, r.total, stuck+wire.MinUnderWay)
	})
}

func sorted(lines []string) []string {
	if len(lines) == 2 && lines[0] > lines[1] {
		lines[0], lines[1] = lines[1], lines[0]
	}
	return lines
}

// The rate over a long path grows until the path is full; on a short one what is under way stays little.
func TestPaceFollowsThePath(t *testing.T) {
	for delay, want := range map[time.Duration]uint64{0: flow.MinFlight, 50 * time.Millisecond: 2 << 20} {
		synctest.Test(t, func(t *testing.T) {
			var ls Listeners
			ln, err := ls.Listen("s")
			require.NoError(t, err)
			defer ln.Close()
			a, _ := pairOver(t, memnet.Config{Delay: delay, Buffer: 16 << 20}, nil, &Config{Listeners: &ls, StreamWindow: 32 << 20})
			s, err := a.OpenStream(t.Context(), "s")
			require.NoError(t, err)
			p, err := ln.Accept()
			require.NoError(t, err)
			go func() {
				_, _ = s.Write(make([]byte, 20<<20))
				_ = s.Close()
			}()
			most, buf := uint64(0), make([]byte, 32<<10)
			for err == nil {
				_, err = p.Read(buf)
				a.mu.Lock()
				most = max(most, a.pace.Sent-a.pace.Read)
				a.mu.Unlock()
			}
			_ = p.Close()
			if delay == 0 {
				require.LessOrEqual(t, most, want+maxControl)
			} else {
				require.Greater(t, most, want)
			}
		})
	}
}

// TestSmallOnesFindRoom: what is queued beyond the limit is small on each lane, so that it is bounded by their number.
func TestSmallOnesFindRoom(t *testing.T) {
	s := sched{most: 1 << 20}
	var bulk, other lane
	for s.queued < s.most {
		s.push(&bulk, make([]byte, wire.HeaderSize), make([]byte, 10_000))
	}
	require.True(t, s.full(&bulk, 1))
	require.False(t, s.full(&other, smallBody))
	require.True(t, s.full(&other, smallBody+1))
	s.push(&other, make([]byte, wire.MaxHead), make([]byte, smallBody))
	require.Equal(t, smallChunk, cap(other.q.first.b))
	require.True(t, s.full(&other, 1))
	s.dropAll()
}

// TestFourLargestFramesInARecord: bulk fills records, and the pieces of queues, with what is told beside it.
func TestFourLargestFramesInARecord(t *testing.T) {
	s := sched{most: maxQueued}
	var bulk lane
	for range 8 {
		s.push(&bulk, wire.Header{Type: wire.TypeData, Len: wire.MaxPayload, ID: 1}.Append(nil), make([]byte, wire.MaxPayload))
	}
	require.Equal(t, bulk.q.last, bulk.q.first.next, "four in each of two chunks")
	var d relayedOut
	for range 2 {
		b := s.appendData(make([]byte, 2*maxControl/3, maxBatch), maxBatch, maxBatch, &d)
		require.Len(t, b, 2*maxControl/3+4*wire.MaxFrame)
	}
	require.True(t, s.idle())
}
