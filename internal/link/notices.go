package link

import "github.com/pysock/pysock/internal/wire"

// notices are the control frames that a stream, or an end of a relayed one, has to send. They are
// state and not a queue: each is told once, as it then is. The link's mu guards them.
type notices struct {
	due       bool                             // on the list of controllers
	opening   func(b []byte, id uint32) []byte // makes the OPEN frame; nil when that was sent, or the other side opened
	acceptDue bool
	windowDue bool
	reset     *wire.Reason // to tell
	stop      *wire.Reason // to tell
}

// append appends what is due for the stream id, whose other direction has ended if recvDone is set.
// allowed is for WINDOW.
func (n *notices) append(b []byte, id uint32, recvDone bool, allowed uint64) []byte {
	if n.opening != nil {
		b = n.opening(b, id)
	}
	if n.acceptDue {
		b = wire.AppendEmpty(b, wire.TypeAccept, id)
	}
	if n.windowDue && !recvDone {
		b = wire.AppendWindow(b, id, allowed)
	}
	if n.reset != nil {
		b = wire.AppendReason(b, wire.TypeReset, id, *n.reset)
	}
	if n.stop != nil && !recvDone {
		b = wire.AppendReason(b, wire.TypeStop, id, *n.stop)
	}
	*n = notices{}
	return b
}
