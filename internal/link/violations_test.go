package link

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

func block(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// repeat joins what frame makes for 1 to n.
func repeat(n int, frame func(i uint32) []byte) (b []byte) {
	for i := range n {
		b = append(b, frame(uint32(i+1))...)
	}
	return b
}

// large is a message whose first frames were written and whose rest is missing.
func large(id uint32, total, frames int) []byte {
	whole := msgFrames(id, total)
	return whole[:frames*wire.MaxFrame]
}

func uint64Frame(t wire.Type, id uint32, v uint64) []byte {
	return binary.BigEndian.AppendUint64(wire.Header{Type: t, Len: 8, ID: id}.Append(nil), v)
}

// ours is what the link under test has sent before the violation: channel 1 with a message, stream
// 2, request 1 on channel 2.
func ours(t *testing.T, l *Link) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	require.NoError(t, l.Send(ctx, "x", channel.Raw, []byte("hello"))) // cost 37
	go func() { _, _ = l.OpenStream(ctx, "s") }()
	synctest.Wait()
	go func() { _, _ = l.Request(ctx, "y", channel.Raw, nil) }()
	synctest.Wait()
}

// Every breach of docs/protocol.md, sections 7 to 13, is answered with CLOSE, code 1.
//
// Length: one table of all of them.
func TestViolations(t *testing.T) {
	c1 := slices.Clip(chFrame(1, "h")) // so that what is appended goes to a copy
	long := msgFrames(1, 50000)
	for name, frames := range map[string][]byte{
		"unknown type":                 {0x7f, 0, 0, 0, 0, 0, 0, 0},
		"undefined flags":              {byte(wire.TypePing), 1, 0, 0, 0, 0, 0, 0},
		"payload too long":             {byte(wire.TypeData), 0, 0xff, 0xff, 0, 0, 0, 1},
		"channel 0":                    {byte(wire.TypeMessage), 3, 0, 0, 0, 0, 0, 0},
		"channel out of order":         chFrame(2, "h"),
		"channel twice":                append(c1, chFrame(1, "x")...),
		"channel name twice":           append(c1, chFrame(2, "h")...),
		"channel name not allowed":     chFrame(1, "a b"),
		"too many channels":            repeat(1025, func(i uint32) []byte { return channelNumber(i) }),
		"channel number out of range":  {byte(wire.TypeChannel), 0, 0, 9, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 'h'},
		"channel without its number":   {byte(wire.TypeChannel), 0, 0, 1, 0, 0, 0, 1, 'h'},
		"message for no channel":       msgFrames(1, 1),
		"message beyond credit":        append(c1, repeat(4, func(uint32) []byte { return msgFrames(1, 40000) })...),
		"message too large at all":     append(c1, msgFrames(1, 70000)...),
		"message goes on that has not": append(c1, long[wire.MaxFrame:]...),
		"interleaved messages":         append(append(c1, large(1, 50000, 1)...), msgFrames(1, 1)...),
		"message longer than it said":  append(append(c1, long[:2*wire.MaxFrame]...), long[wire.MaxFrame:]...),
		"message shorter than it said": append(append(c1, long[:wire.MaxFrame]...), long[3*wire.MaxFrame:]...),
		"encoding 3":                   append(c1, byte(wire.TypeMessage), 0x33, 0, 0, 0, 0, 0, 1),
		"request id in use":            append(append(c1, reqFrames(1, 7, 0)...), reqFrames(1, 7, 0)...),
		"too many requests":            append(c1, repeat(3000, func(i uint32) []byte { return reqFrames(1, i, 0) })...),
		"skip for no channel":          wire.AppendSkip(nil, 1, 5),
		"skip beyond":                  append(c1, wire.AppendSkip(nil, 1, 65537)...),
		"skip within a message":        append(append(c1, large(1, 50000, 1)...), wire.AppendSkip(nil, 1, 1)...),
		"skip of nothing":              append(c1, uint64Frame(wire.TypeSkip, 1, 0)...),
		"no such kind":                 append(wire.Header{Type: wire.TypeChannel, Len: 10, ID: 1}.Append(nil), 0, 0, 0, 0, 0, 0, 0, 0, 3, 'h'),
		"group channel of a client":    wire.AppendChannel(nil, 1, 0, wire.KindGroup, "h"),
		"service channel name twice": append(wire.AppendChannel(nil, 1, 0, wire.KindService, "h"),
			wire.AppendChannel(nil, 2, 0, wire.KindService, "h")...),
		"gap for no channel":          wire.AppendGap(nil, 1, 5),
		"gap within a message":        append(append(c1, large(1, 50000, 1)...), wire.AppendGap(nil, 1, 1)...),
		"gap of nothing":              append(c1, uint64Frame(wire.TypeGap, 1, 0)...),
		"announce for no channel":     wire.AppendAnnounce(nil, 1, 70000),
		"announce beyond max message": append(c1, wire.AppendAnnounce(nil, 1, 1<<20+1)...),
		"announce small":              append(c1, byte(wire.TypeAnnounce), 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 9),
		"announce twice": append(append(c1, repeat(6, func(i uint32) []byte {
			return append(chFrame(i+1, string(rune('a'+i))), wire.AppendAnnounce(nil, i+1, 1<<20)...)
		})...), wire.AppendAnnounce(nil, 7, 1<<20)...),
		"probe for no channel":        wire.AppendProbe(nil, 1, 0),
		"probe beyond what was sent":  append(append(c1, msgFrames(1, 0)...), wire.AppendProbe(nil, 1, 33)...),
		"credit for no channel":       credit(3, 0, 65536),
		"credit beyond what was sent": credit(1, 38, 65536+38),
		"credit goes back":            append(credit(1, 37, 70000), credit(1, 36, 70000)...),
		"allowed goes back":           append(credit(1, 0, 70000), credit(1, 0, 69999)...),
		"window below the guarantee":  {byte(wire.TypeCredit), 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0},
		"refuse for no channel":       reason(wire.TypeRefuse, 3, 17),
		"refuse twice":                append(reason(wire.TypeRefuse, 1, 17), reason(wire.TypeRefuse, 1, 17)...),
		"answer for nothing":          wire.AppendAnswer(nil, 9, 0, nil),
		"error for nothing":           wire.ErrorBody{}.Append(nil, 9),
		"answer twice":                append(wire.AppendAnswer(nil, 1, 0, nil), wire.AppendAnswer(nil, 1, 0, nil)...),
		"answer beyond its allowance": wire.AppendAnswer(nil, 1, 0, make([]byte, 65505)),
		"answer that has not begun":   wire.AppendAnswer(nil, 1, 0, make([]byte, 50000))[wire.MaxFrame:],
		"answer within an answer": append(wire.AppendAnswer(nil, 1, 0, make([]byte, 50000))[:wire.MaxFrame],
			wire.AppendAnswer(nil, 1, 0, nil)...),
		"error within an answer": append(wire.AppendAnswer(nil, 1, 0, make([]byte, 50000))[:wire.MaxFrame],
			wire.ErrorBody{}.Append(nil, 1)...),
		"announced answer for nothing":  wire.AppendAnswerAnnounce(nil, 9, 70000),
		"announced answer twice":        append(wire.AppendAnswerAnnounce(nil, 1, 70000), wire.AppendAnswerAnnounce(nil, 1, 70000)...),
		"announced answer beyond max":   wire.AppendAnswerAnnounce(nil, 1, 1<<20+1),
		"grant of nothing announced":    append(append(c1, reqFrames(1, 7, 0)...), empty(wire.TypeAnswerGrant, 7)...),
		"stream out of order":           open(3),
		"stream of the wrong side":      open(4),
		"stream 0":                      {byte(wire.TypeOpen), 0, 0, 1, 0, 0, 0, 0, 'x'},
		"stream twice":                  append(open(1), open(1)...),
		"stream name not allowed":       wire.AppendOpenStream(nil, 1, "a\u202eb"),
		"pipe where there are none":     (&wire.PipeOpen{Opener: "a", Target: "b"}).Append(nil, 1),
		"accept of our own":             append(open(1), empty(wire.TypeAccept, 1)...),
		"accept twice":                  append(empty(wire.TypeAccept, 2), empty(wire.TypeAccept, 2)...),
		"accept after the end":          append(reason(wire.TypeReset, 2, 18), empty(wire.TypeAccept, 2)...),
		"accept of no stream":           empty(wire.TypeAccept, 4),
		"data for no stream":            data(1, 1),
		"data empty":                    append(open(1), byte(wire.TypeData), 0, 0, 0, 0, 0, 0, 1),
		"data beyond its credit":        append(open(1), data(1, 65537)...),
		"data after the end":            append(append(open(1), empty(wire.TypeEnd, 1)...), data(1, 1)...),
		"data after a reset":            append(append(open(1), reason(wire.TypeReset, 1, 0)...), data(1, 1)...),
		"end twice":                     append(append(open(1), empty(wire.TypeEnd, 1)...), empty(wire.TypeEnd, 1)...),
		"reset after the end":           append(append(open(1), empty(wire.TypeEnd, 1)...), reason(wire.TypeReset, 1, 0)...),
		"end of no stream":              empty(wire.TypeEnd, 4),
		"stop for a stream never open":  reason(wire.TypeStop, 3, 0),
		"window for one never open":     wire.AppendWindow(nil, 4, 70000),
		"window goes back":              append(wire.AppendWindow(nil, 2, 70000), wire.AppendWindow(nil, 2, 69999)...),
		"too many streams":              repeat(1025, func(i uint32) []byte { return open(2*i - 1) }),
		"progress beyond what was sent": wire.AppendProgress(nil, 1<<20),
		"progress goes back":            append(wire.AppendProgress(nil, 20), wire.AppendProgress(nil, 19)...),
		"progress with an id":           {byte(wire.TypeProgress), 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
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
				requireBreach(t, l, r)
			})
		})
	}
}

// requireBreach asserts that the link has ended with CLOSE, code 1 and a text, and for its own application as lost.
func requireBreach(t *testing.T, l *Link, r *raw) {
	t.Helper()
	frames := r.read()
	require.NotEmpty(t, frames)
	last := frames[len(frames)-1]
	require.Equal(t, wire.TypeClose, last.Type, "%v", frames)
	why, err := wire.ParseReason(last.Type, last.p)
	require.NoError(t, err)
	require.Equal(t, wire.CodeProtocol, why.Code)
	require.NotEmpty(t, why.Text)
	r.eof()
	require.NoError(t, r.conn.Close())
	<-l.Done()
	var lost *channel.LostError
	require.ErrorAs(t, context.Cause(l.Context()), &lost)
	require.ErrorAs(t, l.Send(context.Background(), "x", channel.Raw, nil), &lost)
}

func TestCutWithinAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		r.write(chFrame(1, "h")[:5])
		require.NoError(t, r.conn.CloseWrite())
		requireBreach(t, l, r)
	})
}

func TestFramesAfterCloseAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		r.write(reason(wire.TypeClose, 0, 300), data(99, 1), msgFrames(7, 3))
		require.Equal(t, []string{"CLOSE 0 code 0"}, r.lines())
		<-l.Done()
		var closed *channel.CloseError
		require.ErrorAs(t, context.Cause(l.Context()), &closed)
		require.Equal(t, channel.Code(300), closed.Code)
	})
}

// channelNumber is a CHANNEL frame that the encoder would refuse to make for a number that is too high.
func channelNumber(i uint32) []byte {
	name := "c" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
	b := wire.AppendChannel(nil, 1, 0, wire.KindApplication, name)
	binary.BigEndian.PutUint32(b[4:], i)
	return b
}
