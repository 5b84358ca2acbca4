package server

import (
	"slices"
	"time"
)

// flushDelay is how long a change that nobody waits for may stay in memory. However many clients
// come in that time, they make one write.
const flushDelay = time.Minute

// batch is a number of changes that reach the disk in one write, or are all taken back.
type batch struct {
	undo []func() // guarded by mu

	// done and err are written with both writing and mu held, so that either lets one read them.
	done bool
	err  error
}

// change enters a change in the next batch, and how to take it back. It returns nil if there is no
// file to bring it to. Call it with mu held.
func (n *Names) change(undo func()) *batch {
	if n.path == "" {
		return nil
	}
	if n.pending == nil {
		n.pending = &batch{}
	}
	n.pending.undo = append(n.pending.undo, undo)
	return n.pending
}

// save waits until the batch is on disk; a nil one needs no saving. Of those who wait for a batch, the first writes it.
func (n *Names) save(b *batch) error {
	if b == nil {
		return nil
	}
	n.mu.Lock()
	done, err := b.done, b.err
	n.mu.Unlock()
	if done {
		return err
	}
	n.writing.Lock()
	defer n.writing.Unlock()
	if !b.done {
		_ = n.write() // the batch has the error
	}
	return b.err
}

// spoil notes that the file is no longer what it should be, and has it written in a while. Call it with mu held.
func (n *Names) spoil() {
	if n.path == "" {
		return
	}
	n.stale = true
	if n.timer == nil && !n.closed {
		n.flushes.Add(1)
		n.timer = time.AfterFunc(flushDelay, n.flush) // Close stops it or waits for it
	}
}

// flush is what the timer runs. Its error is not lost: who claims a name meets it, and so does Close.
func (n *Names) flush() {
	defer n.flushes.Done()
	n.writing.Lock()
	defer n.writing.Unlock()
	n.mu.Lock()
	n.timer = nil
	n.mu.Unlock()
	_ = n.writeIfStale()
}

// writeIfStale writes the file if something in memory is not in it. Call it with writing held.
func (n *Names) writeIfStale() error {
	n.mu.Lock()
	stale := n.stale || n.pending != nil
	n.mu.Unlock()
	if !stale {
		return nil
	}
	return n.write()
}

// write writes the file. Call it with writing held.
func (n *Names) write() error {
	n.mu.Lock()
	b := n.pending
	n.pending, n.stale = nil, false
	data := appendNames(nil, n.lines)
	n.mu.Unlock()

	err := n.replaceFile(data)

	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.fail(b, err)
		return err
	}
	b.finish(nil)
	return nil
}

// fail takes back the changes of a batch that could not be written. Later ones may rest on them, so
// they fail too, and are taken back first. What the disk now has is not known, so the file is
// written again even if nothing changes. Call it with writing and mu held.
func (n *Names) fail(b *batch, err error) {
	n.pending.finish(err)
	n.pending = nil
	b.finish(err)
	n.spoil()
}

// finish ends the batch, which may be nil. Call it with writing and mu held.
func (b *batch) finish(err error) {
	if b == nil {
		return
	}
	if err != nil {
		for _, undo := range slices.Backward(b.undo) {
			undo()
		}
	}
	b.undo, b.done, b.err = nil, true, err
}
