package link

// Who has something written, where the connection need not wait:
//
//	who                                                   calls        writes itself      leaves the rest to
//	the reader, for each link in rd.touched, then its own writeNow     up to maxNow       a writer
//	who sends a request, or answers one, and is alone     writeNow     up to maxNow       a writer
//	a writer or writeNow, for a link that it made room in writeNested  one batch          a writer
//	writeNested, for a link that it made room in          startWriter  nothing            a writer
//	whoever else has queued something                     startWriter  nothing            a writer
//
// The first three hold no lock, startWriter is called with mu held. The reader does its part in afterBatch, when it
// has acted on what it has read; until then readerWrites is set, and neither startWriter nor the others do anything.
//
// One at a time writes to a link, who has set writing. A writer that goes on where another has stopped begins with
// what that has left in unwritten.

// maxNow is how many batches who writes without waiting writes, so that others who bring more
// cannot keep it at that. What a reader brings at once is less than two records, see nextRecord.
const maxNow = 3

// writeNow writes what is due, if nobody else writes, and it can be done without waiting. What the
// connection does not take at once, and what is still due after maxNow batches, is left to a
// writer. It must not be called with a lock held.
func (l *Link) writeNow() { l.tryWrite(false) }

// writeNested is writeNow for who is at writing another link, whose data has made room here, of one
// batch. It goes no further: what it makes room for itself is left to writers, so that nobody
// writes one link after another.
func (l *Link) writeNested() { l.tryWrite(true) }

func (l *Link) tryWrite(nested bool) {
	most := maxNow
	if nested {
		most = 1
	}
	l.mu.Lock()
	if l.nowait == nil || l.state != stateOpen || l.writing || l.readerWrites.Load() || !l.canWrite() {
		l.startWriter()
		l.mu.Unlock()
		return
	}
	l.writing = true
	l.wg.Add(1)
	l.mu.Unlock()
	for n := 0; n < most && l.tryBatch(nested); n++ {
		l.mu.Lock()
		if l.state == stateOpen && !l.canWrite() {
			l.writing = false
			l.mu.Unlock()
			l.wg.Done()
			return
		}
		l.mu.Unlock()
	}
	go l.writer() // stops when nothing is left that may be written
}

// tryBatch writes one batch, and reports false if a writer has to see to it. It is the writer's own
// step, by who has set writing.
func (l *Link) tryBatch(nested bool) bool {
	buf := l.outlet.Lend()
	l.mu.Lock()
	if l.state != stateOpen {
		l.mu.Unlock()
		l.outlet.TakeBack(buf)
		return false
	}
	b, _ := l.nextBatch((*buf)[l.head:l.head], &l.relayedOut)
	l.mu.Unlock()
	if len(b) == 0 {
		l.outlet.TakeBack(buf)
		return true
	}
	n := l.head + len(b)
	ok, rest, err := l.nowait.TryWriteLent(buf, n)
	if !ok {
		l.unwritten = unwritten{buf: buf, n: n}
		return false
	}
	l.relayedOut.tell(nested)
	l.unwritten = unwritten{err: err, rest: rest}
	return err == nil && !rest
}

// unwritten is what tryBatch leaves to a writer, which owns it.
type unwritten struct {
	buf  *[]byte // a batch that was made: its first n bytes, with the room before the content
	n    int
	rest bool  // Flush is due
	err  error // of the write that was tried
}

// finishUnwritten does what tryBatch has left.
func (l *Link) finishUnwritten() error {
	u := l.unwritten
	l.unwritten = unwritten{}
	switch {
	case u.err != nil:
		return u.err
	case u.rest:
		return l.nowait.Flush()
	case u.buf != nil:
		err := l.outlet.WriteLent(u.buf, u.n)
		l.relayedOut.tell(false)
		return err
	}
	return nil
}
