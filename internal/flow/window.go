package flow

// MaxWindow is how far a channel's window grows while its application keeps up.
const MaxWindow = 1 << 20

// Window is the receiver's side of one channel: what has come, what the application has taken, and what it
// allows. Its owner's lock guards it.
type Window struct {
	Taken   uint64 // what the application has taken, as of the last Open
	Allowed uint64 // how far the sender may go; Release does not take it back

	// Ordinary is how far messages may go that need no announcement. What Allowed is beyond it was
	// granted to an announced message, and a body is what it was granted for: many small messages
	// take several times the memory that their cost says.
	Ordinary uint64

	size    uint64 // what Allowed is ahead of Taken when the window is opened
	grownAt uint64 // Taken when size last changed
	pooled  uint64 // what the window holds of the pool
	held    uint64 // of it, what is for messages in the hands of handlers
	want    uint64 // total that an announcement waits for, 0 if none
	over    bool   // Release was called
}

// NewWindow is the window of a channel that was just opened.
func NewWindow() Window { return Window{Allowed: Guaranteed, Ordinary: Guaranteed, size: Guaranteed} }

// ReportAt is the taken total at which the sender should hear from us again: when half of what is open
// now has been used up.
func (w *Window) ReportAt() uint64 { return w.Taken + (w.Allowed-w.Taken)/2 }

// Announce notes that the sender waits for a message of the given cost behind what has been
// received. It reports false if an announcement is open already. One that the window has reached in
// the meantime is not: its sender sees that it is answered.
func (w *Window) Announce(received, cost uint64) bool {
	if w.want > w.Allowed {
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
	w.Ordinary = max(w.Ordinary, w.open(p))
	w.Allowed = max(w.Allowed, w.Ordinary)
	w.settle(p)
}

// Hold keeps the part of a message of the given cost that is beyond what is guaranteed in the
// pool's books until Drop, however far the window is opened meanwhile. It must be called before the
// message counts as taken.
func (w *Window) Hold(cost uint64) { w.held += cost - Guaranteed }

// Drop ends a Hold.
func (w *Window) Drop(cost uint64, p *Pool) {
	w.held -= cost - Guaranteed
	w.settle(p)
}

// open is how far ordinary messages may go: to the window's size if the pool has it, and to what is
// guaranteed in any case.
func (w *Window) open(p *Pool) uint64 {
	to := w.Taken + w.size
	if to <= w.Allowed {
		return to
	}
	need, have := w.size-Guaranteed, w.pooled-w.held
	if need > have {
		if !p.grow(need - have) {
			return w.Taken + Guaranteed + have
		}
		w.pooled = need + w.held
	}
	return to
}

// settle gives back to the pool what neither the window nor a message that is held needs.
func (w *Window) settle(p *Pool) {
	need := w.held
	if ahead := w.Allowed - w.Taken; ahead > Guaranteed && !w.over {
		need += ahead - Guaranteed
	}
	if need < w.pooled {
		p.give(w.pooled - need)
		w.pooled = need
	}
}

// Release gives everything back to the pool but what is held.
func (w *Window) Release(p *Pool) {
	w.over, w.want = true, 0
	w.settle(p)
}
