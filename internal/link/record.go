package link

// A recordConn is a connection that carries records, and lets the link make and read them in place:
// secure.Conn, and resume.Conn over it. It saves two copies of every byte. Any other net.Conn does
// as well.
type recordConn interface {
	// ReadRecord returns the content of the next record; it is valid until the next call.
	ReadRecord() ([]byte, error)
	// WriteRecord writes b as one record: b begins with room for what goes before the content, has
	// capacity for what goes after it, and is overwritten.
	WriteRecord(b []byte) (int, error)
	// RecordRoom is how many bytes go before the content and after it.
	RecordRoom() (before, after int)
}

// A lender is a recordConn that keeps what it writes for a while, and can do so without a copy in buffers of its own.
type lender interface {
	recordConn
	// Lend returns a buffer that one record of maxBatch bytes fits into with its room.
	Lend() *[]byte
	// TakeBack takes one back that is not needed.
	TakeBack(b *[]byte)
	// WriteLent is WriteRecord for the first n bytes of a buffer that was lent, which is not the
	// caller's any more then.
	WriteLent(b *[]byte, n int) error
}

// maxRecordRoom is the most that a recordConn may want around the content.
const maxRecordRoom = 64

// useRecords takes the connection for a recordConn if it is one.
func (l *Link) useRecords() {
	rec, ok := l.conn.(recordConn)
	if !ok {
		return
	}
	if before, after := rec.RecordRoom(); before+after <= maxRecordRoom {
		l.rec, l.head = rec, before
		l.lender, _ = rec.(lender)
		l.usePrompt()
	}
}

// newBatch returns a buffer for the next batch, which begins at l.head of it. It is given to writeBatch or dropBatch.
func (l *Link) newBatch() *[]byte {
	if l.lender != nil {
		return l.lender.Lend()
	}
	return batches.Get().(*[]byte)
}

func (l *Link) dropBatch(buf *[]byte) {
	if l.lender != nil {
		l.lender.TakeBack(buf)
		return
	}
	batches.Put(buf)
}

// writeBatch writes b, which begins at l.head of buf.
func (l *Link) writeBatch(buf *[]byte, b []byte) (err error) {
	if l.lender != nil {
		return l.lender.WriteLent(buf, l.head+len(b))
	}
	if l.rec != nil {
		_, err = l.rec.WriteRecord((*buf)[:l.head+len(b)])
	} else {
		_, err = l.conn.Write(b)
	}
	batches.Put(buf)
	return err
}

// readRecords is readFrames for a recordConn. Frames are acted on where they lie; one that goes on
// in the next record, which our own writer never makes, is put together in a buffer.
func (l *Link) readRecords() error {
	var split *[]byte
	defer func() {
		if split != nil {
			readBuffers.Put(split)
		}
	}()
	n := 0 // bytes in split
	for {
		record, err := l.nextRecord()
		if len(record) > 0 {
			l.stats.received(len(record))
		}
		for len(record) > 0 {
			b := record
			if n > 0 {
				// A frame is smaller than the buffer, so each round completes one at least.
				added := copy((*split)[n:], record)
				b, record = (*split)[:n+added], record[added:]
			} else {
				record = nil
			}
			used, perr := l.frames(b)
			l.rd.total += uint64(used)
			if perr != nil {
				l.afterBatch()
				return perr
			}
			if used < len(b) && split == nil {
				split = readBuffers.Get().(*[]byte)
			}
			if n = len(b) - used; n > 0 {
				copy(*split, b[used:])
			}
		}
		if n == 0 && split != nil {
			readBuffers.Put(split)
			split = nil
		}
		if err != nil {
			l.afterBatch()
			return l.readError(err, n)
		}
	}
}

// nextRecord reads a record. Before it waits for one, or when the frames read since it last did are
// as much as may be written at once, what they have brought about is written.
func (l *Link) nextRecord() ([]byte, error) {
	if l.prompt != nil && l.rd.total-l.rd.settled < maxBatch {
		if record, err := l.prompt.TryReadRecord(); len(record) > 0 || err != nil {
			return record, err
		}
	}
	l.afterBatch()
	record, err := l.rec.ReadRecord()
	l.reading.Store(l.prompt != nil)
	return record, err
}
