package flow

import "time"

// The bounds of what is under way on a link: sent, and not yet read by the other side.
const (
	MinFlight = 128 << 10
	MaxFlight = 8 << 20
)

// Pace bounds the bytes under way, so that what is to be sent next is
// decided here, by turns, and not by what filled the buffers of the network a while ago. The bound starts
// low and doubles while it is what limits the sender and the way is not getting longer for it: on a path with a large
// product of bandwidth and delay it opens, on a short one it stays. The owner's lock guards it.
type Pace struct {
	Sent uint64 // bytes of frames written here since the link began
	Read uint64 // how many of them the other side has read

	limit   uint64
	limited bool // the limit held something back since the sample began

	sampling  bool
	sampleEnd uint64    // Sent when the sample began: read means one way and back
	sampleAt  time.Time // when the sample began
	best      time.Duration
}

// NewPace is the pace of a new link.
func NewPace() Pace { return Pace{limit: MinFlight} }

// Room is how many more bytes may be sent now.
func (p *Pace) Room() int {
	room := uint64(0)
	if under := p.Sent - p.Read; under < p.limit {
		room = p.limit - under
	}
	if room < MinFlight/4 {
		p.limited = true
	}
	return int(room)
}

// Wrote counts n bytes that go out at the given time.
func (p *Pace) Wrote(n int, now time.Time) {
	p.Sent += uint64(n)
	if !p.sampling {
		p.sampling, p.sampleEnd, p.sampleAt = true, p.Sent, now
	}
}

// Progress takes over how far the other side has read.
func (p *Pace) Progress(read uint64, now time.Time) error {
	if read < p.Read || read > p.Sent {
		return ErrCredit
	}
	p.Read = read
	if !p.sampling || read < p.sampleEnd {
		return nil
	}
	p.sampling = false
	took := now.Sub(p.sampleAt)
	switch {
	case p.best == 0 || took < p.best:
		p.best = took
	case p.limit == MinFlight:
		p.best += (took - p.best) / 8 // that is no queue of ours: the path has changed
	}
	// A queue that we fill ourselves shows as a longer way. On a path shorter than near, the time is the scheduler's
	// and not distance, and the least bound is enough for any rate.
	const near, slack = 500 * time.Microsecond, 5 * time.Millisecond
	switch {
	case took > 2*p.best+slack && p.limit > MinFlight:
		p.limit = max(p.limit/2, MinFlight)
	case p.limited && p.best > near && took < 2*p.best:
		p.limit = min(2*p.limit, MaxFlight)
	}
	p.limited = false
	return nil
}
