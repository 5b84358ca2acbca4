package resume

// Lend returns a buffer of 64 KiB for WriteLent. The caller owns it until then; one that it does
// not need it gives back with TakeBack.
func (c *Conn) Lend() *[]byte { return largeBuffers.Get().(*[]byte) }

// TakeBack takes a buffer of Lend back that was not written.
func (c *Conn) TakeBack(b *[]byte) { largeBuffers.Put(b) }

// WriteLent is WriteRecord for the first n bytes of a buffer of Lend, and takes it back, also if it
// fails. Much content is kept where it lies, so that no copy is made.
func (c *Conn) WriteLent(b *[]byte, n int) error {
	if _, err := c.size(n, len(*b)); err != nil {
		c.TakeBack(b)
		return err
	}
	adopted, err := c.writeRecord((*b)[:n], b)
	if !adopted {
		c.TakeBack(b)
	}
	return err
}
