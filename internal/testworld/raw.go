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

// Raw is the connection of a client of the test's own making, without resume: it has a listed key,
// and writes what it likes.
func (w *World) Raw(name string) *secure.Conn {
	w.t.Helper()
	conn, _, err := w.RawHello(name, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// RawHello is Raw for a hello that change has made, and for a client that may not get in.
func (w *World) RawHello(name string, change func(*wire.Hello)) (*secure.Conn, wire.Welcome, error) {
	w.t.Helper()
	raw, err := net.Dial("tcp", w.Address)
	if err != nil {
		w.t.Fatal(err)
	}
	conn, welcome, err := Enter(context.Background(), raw, w.Files[name], change)
	if err == nil {
		w.t.Cleanup(func() { conn.CloseNow() })
	}
	return conn, welcome, err
}

// Enter shakes hands over raw, with a hello that change, which may be nil, has made. The error is a
// *secure.RefusedError if the server does not let it in.
func Enter(ctx context.Context, raw net.Conn, file *keys.File,
	change func(*wire.Hello)) (*secure.Conn, wire.Welcome, error) {
	h := wire.Hello{MaxMessage: wire.DefaultMaxMessage, Name: file.Name}
	if change != nil {
		change(&h)
	}
	hello, err := h.Append(nil)
	if err != nil {
		raw.Close()
		return nil, wire.Welcome{}, err
	}
	conn, err := secure.Initiate(ctx, raw, &secure.Config{
		Key: file.Private, Hello: hello, VerifyPeer: func(keys.PublicKey) error { return nil },
	})
	if err != nil {
		return nil, wire.Welcome{}, err
	}
	welcome, err := wire.ParseWelcome(conn.Welcome())
	if err != nil {
		conn.CloseNow()
		return nil, wire.Welcome{}, err
	}
	return conn, welcome, nil
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
