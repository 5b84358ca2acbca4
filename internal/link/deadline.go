package link

import (
	"sync"
	"time"
)

// deadline is a point in time that can be moved while somebody waits for it.
// Its zero value is never.
type deadline struct {
	mu      sync.Mutex
	at      time.Time
	timer   *time.Timer
	c       chan struct{} // closed when the time has passed; nil until somebody waits
	stopped bool          // nobody will wait any more
}

// stop ends the timer for good: what waits has been woken by what ended it.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// set moves the deadline; the zero time means never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if d.c != nil {
		// Who waits looks again: for the new time, or because it has passed.
		close(d.c)
		d.c = nil
	}
}

// passed reports whether the time has passed.
func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && !time.Now().Before(d.at)
}

// expired is closed when the time has passed or was moved: look at passed, and wait again.
func (d *deadline) expired() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c == nil {
		d.c = make(chan struct{})
		if !d.at.IsZero() && !d.stopped {
			c := d.c
			d.timer = time.AfterFunc(time.Until(d.at), func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				if d.c == c {
					close(c)
					d.c = nil
				}
			})
		}
	}
	return d.c
}
