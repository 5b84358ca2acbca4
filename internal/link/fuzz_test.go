package link

import (
	"encoding/binary"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// session is what a peer of the seeds says.
func session() []byte {
	var b []byte
	for _, f := range [][]byte{
		chFrame(1, "h"), msgFrames(1, 10), reqFrames(1, 5, 20), wire.AppendProbe(nil, 1, 42), wire.AppendAnnounce(nil, 1, 70000),
		wire.AppendSkip(nil, 1, 100), open(1), data(1, 500), wire.AppendWindow(nil, 2, 70000), empty(wire.TypeCancel, 5),
		credit(1, 37, 70000), reason(wire.TypeRefuse, 1, 17), wire.AppendAnswer(nil, 1, 0, []byte("yes")),
		empty(wire.TypeAccept, 2), data(2, 30), empty(wire.TypeEnd, 2), empty(wire.TypeEnd, 1), empty(wire.TypePing, 9),
		wire.AppendGap(nil, 1, 7), wire.AppendGap(nil, 1, 1<<64-1), msgFrames(1, 1), wire.AppendChannel(nil, 2, 0, wire.KindService, "h"),
		reqFrames(2, 6, 1),
		wire.AppendChannel(nil, 3, 0, wire.KindGroup, "h"), groupFrames(3, 40000),
		chFrame(4, "nobody"), msgFrames(4, 40000), reason(wire.TypeStop, 2, 0), wire.AppendProgress(nil, 20),
		reason(wire.TypeClose, 0, 0),
	} {
		b = append(b, f...)
	}
	return b
}

// play lets a link that has something of each kind under way read bytes, and then ends the
// connection. Whatever they are, the link goes on or ends; it holds no more than its limits, and
// nothing is left of it in the end.
func play(t *testing.T, b []byte) {
	synctest.Test(t, func(t *testing.T) {
		const maxMessage = 100000
		var mux channel.Mux
		mux.Handle("h", block)
		var ls Listeners
		ln, err := ls.Listen("s")
		require.NoError(t, err)
		defer ln.Close()
		l, r := against(t, &Config{Mux: &mux, Listeners: &ls, MaxMessage: maxMessage, Services: &mux, GroupMessages: true,
			OpenPipe: func(s *Stream, _ wire.PipeOpen) { s.Accept() }})
		l.Run()
		ours(t, l)
		go func() { _, _ = io.Copy(io.Discard, r.conn) }()
		_, _ = r.conn.Write(b)
		synctest.Wait()
		l.mu.Lock()
		require.LessOrEqual(t, len(l.in), wire.MaxChannels)
		require.LessOrEqual(t, len(l.streams), wire.MaxStreams+1)
		require.LessOrEqual(t, len(l.asked), wire.MaxRequests)
		require.LessOrEqual(t, len(l.sched.control), 3*wire.MaxChannels)
		require.LessOrEqual(t, l.sched.queued, 2<<20)
		for _, ch := range l.in {
			require.LessOrEqual(t, cap(ch.part.b), maxMessage)
			require.GreaterOrEqual(t, ch.received, ch.total())
			require.LessOrEqual(t, ch.received, ch.allowed.Load())
		}
		l.mu.Unlock()
		_ = r.conn.Close()
		<-l.Done()
	})
}

func FuzzLink(f *testing.F) {
	f.Add(session())
	f.Add(msgFrames(1, 3))
	f.Add(append(chFrame(1, "h"), large(1, 50000, 2)...))
	f.Fuzz(play)
}

// FuzzFrames makes frames that decode out of the input, so that it gets behind the decoder more
// often: a byte for the type, one for the id, one for an argument.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{1, 1, 0, 2, 1, 5, 0x10, 1, 0, 0x12, 1, 9, 0x13, 1, 0})
	f.Add([]byte{1, 1, 0, 1, 2, 1, 3, 1, 3, 4, 1, 9, 6, 1, 0, 5, 1, 1, 7, 1, 1})
	f.Add([]byte{1, 0, 2, 0x0d, 0, 3, 12, 0, 9, 12, 0, 200, 0x0d, 0, 200, 2, 0, 2, 1, 1, 1, 2, 1, 3})
	f.Add([]byte{8, 1, 3, 9, 1, 8, 11, 1, 0, 0x14, 2, 1, 0x15, 2, 1, 0x16, 2, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		var b []byte
		for ; len(in) >= 3 && len(b) < 1<<20; in = in[3:] {
			b = append(b, madeFrame(wire.Type(in[0]&0x3f), uint32(in[1]&0x0f), in[2])...)
		}
		play(t, b)
	})
}

// madeGroupMessage stands for a MESSAGE with a group head. No type has this number.
const madeGroupMessage wire.Type = 0x0d

func madeFrame(t wire.Type, id uint32, arg byte) []byte {
	n := uint64(arg)
	switch t {
	case wire.TypeChannel:
		return append(wire.AppendChannel(nil, id%8+1, n*uint64((arg%wire.Kinds+1)%wire.Kinds), wire.Kind(arg%wire.Kinds), "h")[:17],
			'h'+arg/wire.Kinds)
	case wire.TypeMessage:
		if arg&1 == 1 {
			return reqFrames(id%8+1, uint32(arg), int(arg)*300)
		}
		return msgFrames(id%8+1, int(arg)*300)
	case madeGroupMessage:
		return wire.AppendMessage(nil, id%8+1, 0, wire.MessageStart{}, append(crew.Append(nil), make([]byte, int(arg)*300)...))
	case wire.TypeGap:
		return wire.AppendGap(nil, id%8+1, (n+1)<<(id*4)|1)
	case wire.TypeSkip:
		return wire.AppendSkip(nil, id%8+1, n*300+1)
	case wire.TypeAnnounce:
		return wire.AppendAnnounce(nil, id%8+1, uint32(65537+300*n))
	case wire.TypeCredit:
		return credit(id%8+1, n, n+65536+n*100)
	case wire.TypeProbe:
		return wire.AppendProbe(nil, id%8+1, n*32)
	case wire.TypeRefuse:
		return reason(t, id%8+1, 17)
	case wire.TypeAnswer:
		if arg&1 == 1 {
			return wire.ErrorBody{Code: 21}.Append(nil, id+1)
		}
		return wire.AppendAnswer(nil, id+1, 0, make([]byte, int(arg)*300))
	case wire.TypeAnswerAnnounce:
		return wire.AppendAnswerAnnounce(nil, id+1, uint32(65537+300*n))
	case wire.TypeAnswerGrant, wire.TypeCancel, wire.TypeAccept, wire.TypeEnd, wire.TypePing, wire.TypePong:
		return empty(t, id+1)
	case wire.TypeOpen:
		if arg&1 == 1 {
			return pipeOpen.Append(nil, id+1)
		}
		return open(id + 1)
	case wire.TypeData:
		return data(id+1, int(arg)*300+1)
	case wire.TypeReset, wire.TypeStop:
		return reason(t, id+1, uint16(arg))
	case wire.TypeWindow:
		return wire.AppendWindow(nil, id+1, n*1000)
	case wire.TypeProgress:
		return wire.AppendProgress(nil, n)
	case wire.TypeClose:
		return reason(t, 0, uint16(arg))
	}
	return binary.BigEndian.AppendUint64(nil, n)
}
