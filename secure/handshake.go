package secure

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure/internal/noise"
)

// A handshake message on the wire is a 2-byte length and that many bytes.
// Only the last may vary: it carries the hello.
const (
	lengthSize   = 2
	message1Size = 1216
	message2Size = 1200
	message3Min  = 64
	message3Max  = message3Min + MaxHello
)

// fill reads on until b[:want] is there, of which have bytes were before. It
// may read more, up to len(b), and returns how much is there now.
func fill(conn net.Conn, b []byte, have, want int) (int, error) {
	if have >= want {
		return have, nil
	}
	n, err := io.ReadAtLeast(conn, b[have:], want-have)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = &TruncatedError{During: "handshake"}
	}
	return have + n, err
}

// frame puts the length in front of a message: write appends the message to
// what it is given.
func frame(dst []byte, write func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(dst)
	dst, err := write(append(dst, 0, 0))
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(dst[start:], uint16(len(dst)-start-lengthSize))
	return dst, nil
}

// handshakeError sorts what the state machine returns for a peer's message.
func handshakeError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrHandshake, err)
}

// established makes the Conn that a finished handshake stands for.
func established(conn net.Conn, own, peer keys.PublicKey, res *noise.Result, initiator bool) *Conn {
	c := &Conn{
		conn:   conn,
		local:  own,
		peer:   peer,
		result: res,
	}
	c.in.init(conn, res.Recv, initiator)
	c.out.conn, c.out.keys, c.out.raw = conn, res.Send, newRawWrite(conn)
	return c
}
