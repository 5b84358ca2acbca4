//go:build unix

package secure

import (
	"net"
	"os"
	"syscall"
)

// rawWrite writes to a socket what it takes at once. conn.Write waits until it has taken all.
type rawWrite struct {
	sock syscall.RawConn
	try  func(fd uintptr) bool // made once, so that no call allocates

	b   []byte
	n   int
	err error
}

// newRawWrite returns nil unless conn is a plain socket.
func newRawWrite(conn net.Conn) *rawWrite {
	sock := plainSocket(conn)
	if sock == nil {
		return nil
	}
	raw := &rawWrite{sock: sock}
	raw.try = raw.attempt
	return raw
}

// write returns how much of b the socket has taken, which may be nothing without an error.
func (raw *rawWrite) write(b []byte) (int, error) {
	raw.b, raw.n, raw.err = b, 0, nil
	err := raw.sock.Write(raw.try)
	raw.b = nil
	if err == nil && raw.err != nil {
		err = os.NewSyscallError("write", raw.err)
	}
	return raw.n, err
}

// attempt writes once. It says that it is done also if nothing could be written: who wants to wait
// calls conn.Write.
func (raw *rawWrite) attempt(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), raw.b)
		switch err {
		case nil:
			raw.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			raw.err = err
		}
		return true
	}
}
