//go:build !unix

package secure

import "net"

// rawWrite is for sockets of systems where a write that does not block is a plain system call.
type rawWrite struct{}

func newRawWrite(net.Conn) *rawWrite { return nil }

func (*rawWrite) write([]byte) (int, error) {
	panic("secure: rawWrite without a system that has it")
}
