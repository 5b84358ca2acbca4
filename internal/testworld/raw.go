package testworld

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// Raw is the connection of a client of the test's own making: it has a listed key, and writes what it likes.
func (w *World) Raw(name string) *secure.Conn {
	w.t.Helper()
	raw, err := net.Dial("tcp", w.Address)
	if err != nil {
		w.t.Fatal(err)
	}
	hello, err := (&wire.Hello{MaxMessage: wire.DefaultMaxMessage, Name: name}).Append(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := secure.Initiate(context.Background(), raw, &secure.Config{
		Key: w.Files[name].Private, Hello: hello, VerifyPeer: func(keys.PublicKey) error { return nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.CloseNow() })
	return conn
}

// ReadFrame reads one frame.
func ReadFrame(t testing.TB, r io.Reader) (wire.Header, []byte) {
	t.Helper()
	var head [wire.HeaderSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Fatal(err)
	}
	h, err := wire.ParseHeader(head[:])
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, h.Len)
	if _, err := io.ReadFull(r, payload); err != nil {
		t.Fatal(err)
	}
	return h, payload
}
