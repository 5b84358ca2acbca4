package stranger

import "time"

const (
	quietTime = 15 * time.Second // without a word: PING
	deadTime  = 10 * time.Second // without a word after that: lost

	ackStep = 65_536 // news that are told without anything else to say

	// A connection is renewed by the client before it is 24 hours old or has
	// carried 64 GiB, and ended by the server well beyond.
	renewAge, endAge     = 23 * time.Hour, 26 * time.Hour
	renewBytes, endBytes = 60 << 30, 70 << 30
)

// A strand is one connection of a splice, whose lock guards it.
type strand struct {
	*splice
	sec     *secureConn
	next    uint64 // position of what is sent next
	at      uint64 // position of what is read next
	told    uint64 // the last ACK
	tellNow bool   // something came again
	ended   bool   // end was written here
	readEnd bool   // end was read here
	retried bool   // RETRY was written here
	carried uint64 // bytes, both directions together
	stale   bool   // it is time for fresh keys
	age     *time.Timer
	silence *time.Timer
	asked   bool // the PING for silence is out
	pings   uint32
	ping    *uint32 // to be sent
	pong    *uint32 // to be sent
}

func (st *strand) current() bool { return st.strand == st }

// lost suspends the session. After a protocol error there is nothing to go on
// with, nor when both sides have all that was sent but one end.
func (st *strand) lost() {
	if !st.current() {
		return
	}
	switch {
	case st.err != nil:
	case st.inErr != nil:
		st.err = st.inErr
	case st.inEnd && st.ending && st.acked == st.base+uint64(len(st.kept)):
		st.err = ErrLost
	}
	st.suspend()
}

func newStrand(s *splice, sec *secureConn, next, at uint64) *strand {
	st := &strand{splice: s, sec: sec, next: next, at: at, told: at}
	st.silence = time.AfterFunc(quietTime, st.quiet)
	old := renewAge
	if s.server {
		old = endAge
	}
	st.age = time.AfterFunc(old, func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.grownOld()
	})
	return st
}

func (st *strand) grownOld() {
	if st.server {
		st.lost()
		return
	}
	st.stale = true
	st.cond.Broadcast()
}

func (st *strand) carry(n int) {
	st.carried += uint64(n)
	if st.carried > endBytes || !st.server && st.carried > renewBytes {
		st.grownOld()
	}
}

// close is for one that is current no more.
func (st *strand) close() {
	st.silence.Stop()
	st.age.Stop()
	st.sec.conn.Close()
}

// quiet is called when nothing was heard for a while. After end nothing can be.
func (st *strand) quiet() {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case !st.current() || st.readEnd:
	case st.asked:
		st.lost()
	default:
		st.asked = true
		st.pings++
		id := st.pings
		st.ping = &id
		st.silence.Reset(deadTime)
		st.cond.Broadcast()
	}
}

func (st *strand) read() {
	defer st.strands.Done()
	for {
		kind, content, err := st.sec.readRecord()
		st.mu.Lock()
		switch {
		case !st.current():
		case err != nil:
			st.lost()
		case kind == recordEnd:
			if st.at != st.arrived && st.inErr == nil {
				st.inErr = protocolError("end before the end")
			}
			st.readEnd, st.inEnd = true, true
		default:
			st.carry(len(content))
			st.asked = false
			st.silence.Reset(quietTime)
			if st.inErr == nil {
				st.inErr = st.take(content)
			}
		}
		over := !st.current() || st.readEnd
		st.cond.Broadcast()
		st.mu.Unlock()
		if over {
			return
		}
	}
}

// take takes the content of a data record.
func (st *strand) take(content []byte) error {
	p, err := decodeParcel(content, st.server)
	if err != nil {
		return err
	}
	if p.ack != nil {
		if *p.ack < st.acked || *p.ack > st.sent {
			return protocolError("ACK goes back or too far")
		}
		st.acked = *p.ack
		st.trim()
	}
	if p.ping != nil {
		st.pong = p.ping
	}
	if p.retry != nil {
		st.retry = p.retry
	}
	again := min(st.arrived-st.at, uint64(len(p.rest)))
	st.at += uint64(len(p.rest))
	st.tellNow = st.tellNow || again > 0
	fresh := p.rest[again:]
	if len(fresh) > 0 && st.inEnd {
		return protocolError("bytes after the end")
	}
	st.arrived += uint64(len(fresh))
	st.unread = append(st.unread, fresh...)
	return nil
}

func (st *strand) write() {
	defer st.strands.Done()
	for {
		st.mu.Lock()
		for st.current() && !st.due() {
			st.cond.Wait()
		}
		if !st.current() || st.ended {
			st.mu.Unlock()
			return
		}
		kind, content := st.record()
		st.mu.Unlock()
		err := st.sec.writeRecord(kind, content)
		st.mu.Lock()
		switch {
		case err != nil:
			st.lost()
		case kind == recordEnd:
			st.ended, st.endSent = true, true
			st.cond.Broadcast()
		}
		st.mu.Unlock()
	}
}

// news is how much more an ACK could say than the last one did. It does not say
// more than this connection has carried, also if an earlier one carried more.
func (st *strand) news() uint64 {
	if most := min(st.at, st.mayAck); most > st.told {
		return most - st.told
	}
	return 0
}

func (st *strand) unsent() []byte { return st.kept[st.next-st.base:] }

// due tells whether there is something to write now.
func (st *strand) due() bool {
	news := st.news()
	return st.ending || len(st.unsent()) > 0 || st.ping != nil || st.pong != nil || st.retryDue() ||
		news >= ackStep || st.tellNow && news > 0
}

func (st *strand) retryDue() bool { return st.server && st.retry != nil && !st.retried }

// record makes the next one: all that there is to say, and as much of the
// stream as fits. If there is nothing, it is the end.
func (st *strand) record() (kind byte, content []byte) {
	p := &parcel{ping: st.ping, pong: st.pong}
	st.ping, st.pong = nil, nil
	if news := st.news(); news > 0 {
		st.told += news
		st.tellNow = false
		told := st.told
		p.ack = &told
	}
	if st.retryDue() {
		st.retried = true
		p.retry = st.retry
	}
	p.rest = st.unsent()
	p.rest = p.rest[:min(len(p.rest), max(1, st.most-mostParcelHead))]
	content = p.encode()
	if len(content) == 1 {
		return recordEnd, nil
	}
	st.carry(len(content))
	st.next += uint64(len(p.rest))
	st.sent = max(st.sent, st.next)
	st.trim()
	return recordData, content
}
