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

// maxRecordRoom is the most that a recordConn may want around the content.
const maxRecordRoom = 64

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
	if l.nowait != nil && l.rd.total-l.rd.settled < maxBatch {
		if record, err := l.nowait.TryReadRecord(); len(record) > 0 || err != nil {
			return record, err
		}
	}
	l.afterBatch()
	record, err := l.rec.ReadRecord()
	l.readerWrites.Store(l.nowait != nil)
	return record, err
}
