// Package wakeup has goroutines wait, without the lock that they hold, until another that holds it wakes them all.
package wakeup

// A Bell wakes everybody who waits for something that a lock guards. Its zero value is ready, and a Bell that nobody
// waits for costs a pointer. Both methods are called with that lock held:
//
//	for !ready {
//		rung := bell.Wait()
//		mu.Unlock()
//		<-rung // or something else that ends the wait
//		mu.Lock()
//	}
//
// So who has looked under the lock and then waits misses nothing, whoever comes between. That the Bell has rung says
// that something may have changed, not what: look again.
type Bell struct {
	next chan struct{} // closed by the next Ring; nil while nobody waits
}

// Wait returns a channel that the next Ring closes. It does not wait itself.
func (b *Bell) Wait() <-chan struct{} {
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// Ring wakes all who have called Wait since it rang last.
func (b *Bell) Ring() {
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
