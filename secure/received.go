package secure

// Received returns how many bytes have arrived since the handshake, sealed as they are, also of a
// record that is still under way. So a connection that is slow can be told from one that is dead,
// if somebody reads it. It may be called at any time and waits for nothing.
func (c *Conn) Received() uint64 { return c.in.received.Load() }
