package server

import (
	"context"
	"errors"
	"sync"
)

// A waiter waits for room at several sessions at once, and is one goroutine: there may be as many
// who send as there are who take nothing.
type waiter struct {
	news chan struct{} // has one if there is something to look at

	mu    sync.Mutex // below all others
	again []int      // the numbers of the sessions to look at again
	noted []bool     // by number: it is among them
}

func newWaiter(n int) *waiter { return &waiter{news: make(chan struct{}, 1), noted: make([]bool, n)} }

// look notes that a session is to be looked at again. It does not wait.
func (w *waiter) look(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noted[i] {
		return
	}
	w.noted[i] = true
	w.again = append(w.again, i)
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// take gives what is to be looked at.
func (w *waiter) take() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	again := w.again
	w.again = nil
	for _, i := range again {
		w.noted[i] = false
	}
	return again
}

// fanOutSlowly sends a message to sessions that have to be waited for, until ctx ends, and ends
// those that are too slow. It returns the error of each.
func (s *Server) fanOutSlowly(ctx context.Context, slow []*Session, d *delivery) []error {
	errs := make([]error, len(slow))
	w, left := newWaiter(len(slow)), 0
	for i, sess := range slow {
		o := sess.overflowOf(d)
		if !sess.beginWait(o, w, i) {
			errs[i] = sess.giveUp(o, d)
			continue
		}
		errs[i] = errNoRoom
		left++
		w.look(i) // it may have got room before it could have said so
	}
	done := func(i int, err error) {
		errs[i] = err
		slow[i].endWait(slow[i].overflowOf(d), w)
		left--
	}
	for left > 0 {
		select {
		case <-w.news:
		case <-ctx.Done():
			for i := range errs {
				if errs[i] == errNoRoom {
					done(i, context.Cause(ctx))
				}
			}
			return errs
		}
		for _, i := range w.take() {
			if errs[i] != errNoRoom {
				continue // it was woken once more
			}
			if err := slow[i].offerAgain(slow[i].overflowOf(d), d); !errors.Is(err, errNoRoom) {
				done(i, err)
			}
		}
	}
	return errs
}
