//go:build unix

package secure

import (
	"io"
	"net"
	"os"
	"syscall"
)

// rawRead reads a socket so that no buffer is held while there is nothing to
// read: the runtime calls try when the socket is readable, and only then is a
// buffer taken. It costs no more system calls than conn.Read, which also tries
// before it waits.
type rawRead struct {
	in   *reader
	sock syscall.RawConn
	try  func(fd uintptr) bool // made once, so that no call allocates

	size int // of the record at hand
	n    int
	err  error
}

// newRawRead returns nil unless conn is a plain socket.
func newRawRead(conn net.Conn, in *reader) *rawRead {
	sock := plainSocket(conn)
	if sock == nil {
		return nil
	}
	raw := &rawRead{in: in, sock: sock}
	raw.try = raw.attempt
	return raw
}

// plainSocket returns conn's socket, nil if it is not one. Only the types of
// package net will do: a wrapper may promote SyscallConn from what it wraps
// and mean something else by Read and Write.
func plainSocket(conn net.Conn) syscall.RawConn {
	var sock syscall.RawConn
	var err error
	switch c := conn.(type) {
	case *net.TCPConn:
		sock, err = c.SyscallConn()
	case *net.UnixConn:
		sock, err = c.SyscallConn()
	}
	if err != nil {
		return nil
	}
	return sock
}

// fill is reader.fill for a socket.
func (raw *rawRead) fill(size int) error {
	raw.size = size
	if err := raw.sock.Read(raw.try); err != nil {
		return err
	}
	switch {
	case raw.err != nil:
		return os.NewSyscallError("read", raw.err)
	case raw.n == 0:
		return io.EOF
	}
	raw.in.came(raw.n)
	return nil
}

// attempt reads once, and reports false if it must be called again when the
// socket is readable.
func (raw *rawRead) attempt(fd uintptr) bool {
	in := raw.in
	in.useBig(raw.size)
	for {
		raw.n, raw.err = syscall.Read(int(fd), in.buf[in.w:])
		switch raw.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			raw.n, raw.err = 0, nil
			in.park()
			return false
		}
		raw.n = max(raw.n, 0)
		return true
	}
}
