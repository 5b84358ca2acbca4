//go:build !unix

package secure

import "net"

// rawRead is for sockets of systems where a read that does not block is a
// plain system call. Elsewhere the reader waits in conn.Read.
type rawRead struct{}

func newRawRead(net.Conn, *reader) *rawRead { return nil }

func (*rawRead) fill(int) error { panic("secure: rawRead without a system that has it") }
