package link

// dataQueue is a queue of bytes in pooled chunks. Its zero value is empty and
// holds no memory. Small pieces fill a chunk up before the next is taken, so that it holds little more than its bytes.
type dataQueue struct {
	first, last *chunk
	size        int
}

// write appends a copy of p.
func (q *dataQueue) write(p []byte) {
	q.size += len(p)
	for len(p) > 0 {
		if q.last == nil || len(q.last.b) == cap(q.last.b) {
			c := newChunk(len(p), q.last == nil)
			if q.last == nil {
				q.first = c
			} else {
				q.last.next = c
			}
			q.last = c
		}
		n := min(len(p), cap(q.last.b)-len(q.last.b))
		q.last.b = append(q.last.b, p[:n]...)
		p = p[n:]
	}
}

// read moves bytes to p, as many as there are or fit.
func (q *dataQueue) read(p []byte) int {
	total := 0
	for len(p) > 0 && q.first != nil {
		c := q.first
		n := copy(p, c.b[c.head:])
		c.head += n
		p = p[n:]
		total += n
		if c.head == len(c.b) {
			q.first = c.next
			if q.first == nil {
				q.last = nil
			}
			c.free()
		}
	}
	q.size -= total
	return total
}

// clear drops everything.
func (q *dataQueue) clear() {
	for c := q.first; c != nil; {
		next := c.next
		c.free()
		c = next
	}
	*q = dataQueue{}
}
