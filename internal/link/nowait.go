package link

// A promptConn is a recordConn that can do without waiting: secure.Conn over a socket, and
// resume.Conn over that. So who reads one connection can write what that has brought about, on this
// link and on others, and need not wake another goroutine for it.
type promptConn interface {
	recordConn
	// NoWait reports whether it can.
	NoWait() bool
	// TryReadRecord is ReadRecord that returns nothing if no whole record is there.
	TryReadRecord() ([]byte, error)
	// Flush writes what was taken and not written, and waits for that.
	Flush() error
}

// tryWriter and tryLender are how a promptConn writes. What is left of it is for Flush.
type tryWriter interface {
	promptConn
	TryWriteRecord(b []byte) (rest bool, err error)
}

type tryLender interface {
	promptConn
	TryWriteLent(b *[]byte, n int) (ok, rest bool, err error)
}

// usePrompt notes how to write without waiting, if that can be done.
func (l *Link) usePrompt() {
	p, ok := l.rec.(promptConn)
	if !ok || !p.NoWait() {
		return
	}
	if l.tryLender, _ = p.(tryLender); l.tryLender == nil {
		l.tryWriter, _ = p.(tryWriter)
	}
	if l.tryLender != nil || l.tryWriter != nil {
		l.prompt = p
	}
}

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
	if l.prompt == nil || l.state != stateOpen || l.writing || l.reading.Load() || !l.canWrite() {
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
	buf := l.newBatch()
	l.mu.Lock()
	if l.state != stateOpen {
		l.mu.Unlock()
		l.dropBatch(buf)
		return false
	}
	b, _ := l.nextBatch((*buf)[l.head:l.head], &l.drained)
	l.mu.Unlock()
	if len(b) == 0 {
		l.dropBatch(buf)
		return true
	}
	n := l.head + len(b)
	ok, rest, err := true, false, error(nil)
	if l.tryLender != nil {
		ok, rest, err = l.tryLender.TryWriteLent(buf, n)
	} else {
		rest, err = l.tryWriter.TryWriteRecord((*buf)[:n])
	}
	switch {
	case !ok:
		l.unwritten = unwritten{buf: buf, n: n}
		return false
	case l.tryLender == nil:
		batches.Put(buf)
	}
	l.drained.tell(nested)
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
		return l.prompt.Flush()
	case u.buf != nil:
		err := l.writeBatch(u.buf, (*u.buf)[l.head:u.n])
		l.drained.tell(false)
		return err
	}
	return nil
}
