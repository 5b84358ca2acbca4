package link

import (
	"time"

	"github.com/pysock/pysock/internal/wire"
)

// maxBatch is what goes to the connection in one write: as much as fits into
// one record, with what a connection that outlives others puts before it (docs/protocol.md, section 17.1).
const maxBatch = wire.MaxRecord - 1 - 32

// startWriter starts the writer goroutine if there is something to write and none is at work. Call it with mu held.
func (l *Link) startWriter() {
	if l.writing || l.state >= stateCloseSent || !l.canWrite() || l.readerWrites.Load() {
		return // what the reader brings about it will see to itself, see afterBatch
	}
	l.writing = true
	l.wg.Add(1)
	go l.writer() // stops when nothing is left that may be written
}

// canWrite reports whether anything is due. Call it with mu held.
func (l *Link) canWrite() bool {
	return len(l.sched.control) > 0 || l.controlDue() || l.state == stateClosing ||
		(l.sched.head != nil && l.pace.Room() >= wire.MinUnderWay/2)
}

func (l *Link) controlDue() bool {
	return l.progress > l.toldRead || l.pongDue || l.pings.due || len(l.grants) > 0
}

// write writes batch after batch until there is nothing to write.
func (l *Link) write() {
	defer l.wg.Done()
	if err := l.finishUnwritten(); err != nil {
		l.cannotWrite(err)
		return
	}
	for {
		buf := l.outlet.Lend()
		l.mu.Lock()
		b, last := l.nextBatch((*buf)[l.head:l.head], &l.relayedOut)
		if len(b) == 0 {
			l.writing = false
			l.mu.Unlock()
			l.outlet.TakeBack(buf)
			return
		}
		l.mu.Unlock()

		err := l.outlet.WriteLent(buf, l.head+len(b))
		l.relayedOut.tell(false)
		if err != nil {
			l.cannotWrite(err)
			return
		}
		if last {
			l.closeWritten()
			return
		}
	}
}

// nextBatch makes the bytes of the next write. last is set if they end with CLOSE. Call it with mu held.
func (l *Link) nextBatch(b []byte, out *relayedOut) (batch []byte, last bool) {
	if l.state >= stateCloseSent {
		return b, false
	}
	b = l.appendOwnControl(b)
	b = l.sched.appendControl(b, maxBatch)
	b = l.sched.appendData(b, maxBatch, l.pace.Room(), out)
	l.tellRoom()
	if l.state == stateClosing && l.sched.idle() && !l.controlDue() {
		if b, last = l.appendClose(b); last {
			l.state = stateCloseSent
		}
	}
	if len(b) > 0 {
		l.pace.Wrote(len(b), time.Now())
		l.stats.sent(len(b))
	}
	return b, last
}

// appendOwnControl appends the control frames of the link itself.
func (l *Link) appendOwnControl(b []byte) []byte {
	if l.progress > l.toldRead {
		l.toldRead = l.progress
		b = wire.AppendProgress(b, l.progress)
	}
	if l.pongDue {
		l.pongDue = false
		b = wire.AppendEmpty(b, wire.TypePong, l.pong)
	}
	if l.pings.due {
		l.pings.due = false
		l.pings.sentAt = time.Now()
		b = wire.AppendEmpty(b, wire.TypePing, l.pings.last)
	}
	for len(l.grants) > 0 && len(b) < maxBatch/2 {
		b = wire.AppendEmpty(b, wire.TypeAnswerGrant, l.grants[0].id)
		l.grants = l.grants[1:]
	}
	return b
}

// control puts c on the list of those that have control frames to send. Call it with mu held, and
// only if c is not on it.
func (l *Link) control(c controller) { l.sched.control = append(l.sched.control, c) }
