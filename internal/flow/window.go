package flow

// MaxWindow is how far a channel's window grows while its application keeps up.
const MaxWindow = 1 << 20

// Window is the receiver's side of one channel: what has come, what the application has taken, and what it
// allows. Its owner's lock guards it.
type Window struct {
	Taken   uint64 // what the application has taken, as of the last Open
	Allowed uint64 // how far the sender may go; Release does not take it back

	size    uint64 // what Allowed is ahead of Taken when the window is opened
	grownAt uint64 // Taken when size last changed
	pooled  uint64 // what the window holds of the pool
	want    uint64 // total that an announcement waits for, 0 if none
}

// NewWindow is the window of a channel that was just opened.
func NewWindow() Window { return Window{Allowed: Guaranteed, size: Guaranteed} }

// ReportAt is the taken total at which the sender should hear from us again: when half of what is open
// now has been used up.
func (w *Window) ReportAt() uint64 { return w.Taken + (w.Allowed-w.Taken)/2 }

// Announce notes that the sender waits for a message of the given cost behind what has been received. It
// reports false if an announcement is open already.
func (w *Window) Announce(received, cost uint64) bool {
	if w.want > 0 {
		return false
	}
	w.want = received + cost
	return true
}

// Grant opens the window for the announced message, if the pool has room for it.
func (w *Window) Grant(p *Pool) bool {
	if w.want > w.Allowed {
		if !p.take(w.want - w.Allowed) {
			return false
		}
		w.pooled += w.want - w.Allowed
		w.Allowed = w.want
	}
	w.want = 0
	return true
}

// Open moves the window to the taken total, giving back to the pool what it no longer needs, and lets it grow if
// the application has taken a whole window since it last did. No window grows while grow is false.
func (w *Window) Open(taken uint64, p *Pool, grow bool) {
	w.Taken = max(taken, w.Taken)
	if grow && w.size < MaxWindow && w.Taken-w.grownAt >= w.size {
		w.size *= 2
		w.grownAt = w.Taken
	}
	w.Allowed = max(w.Allowed, w.open(p))
	held := uint64(0)
	if ahead := w.Allowed - w.Taken; ahead > Guaranteed {
		held = ahead - Guaranteed
	}
	if held < w.pooled {
		p.give(w.pooled - held)
		w.pooled = held
	}
}

// open is where Allowed may go: to the window's size if the pool has it, and to what is guaranteed in any case.
func (w *Window) open(p *Pool) uint64 {
	to := w.Taken + w.size
	if to <= w.Allowed {
		return w.Allowed
	}
	need := w.size - Guaranteed
	if need > w.pooled {
		if !p.grow(need - w.pooled) {
			return w.Taken + Guaranteed + w.pooled
		}
		w.pooled = need
	}
	return to
}

// Release gives everything back to the pool.
func (w *Window) Release(p *Pool) {
	p.give(w.pooled)
	w.pooled, w.want = 0, 0
}
