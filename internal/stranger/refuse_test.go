package stranger

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

func TestOurServerRefuses(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(nil)
	dial := func(n byte, hello Hello, serverKey []byte) error {
		_, err := Dial(w.conn(), identity(n).key, serverKey, hello, LinkConfig{MaxMessage: maxMessage})
		require.Error(t, err)
		return err
	}
	var why *Error
	require.ErrorAs(t, dial(9, Hello{}, w.hub.public()), &why)
	require.Equal(t, codeUnknownKey, why.Code)
	require.True(t, why.Remote)
	require.ErrorAs(t, dial(1, Hello{Wanted: "bob"}, w.hub.public()), &why)
	require.Equal(t, codeNameTaken, why.Code)
	require.ErrorAs(t, dial(1, Hello{Wanted: "a/b"}, w.hub.public()), &why)
	require.Equal(t, codeBadName, why.Code)
	require.ErrorAs(t, dial(1, Hello{Groups: []string{"b", "a"}}, w.hub.public()), &why)
	require.Equal(t, codeProtocol, why.Code)
	require.ErrorAs(t, dial(1, Hello{Groups: []string{"a"}}, w.hub.public()), &why)
	require.Equal(t, codeRefused, why.Code)
	require.ErrorIs(t, dial(1, Hello{}, identity(8).public()), ErrWrongKey)
	_, err := Dial(w.conn(), w.hub.key, w.hub.public(), Hello{}, LinkConfig{MaxMessage: maxMessage})
	require.Error(t, err) // its own key
}

func TestStrangerServerRefuses(t *testing.T) {
	w := newWorld(t)
	w.serveTheirs(LinkConfig{})
	dial := func(f *keys.File, server ident) error {
		g := *f
		g.Server = &keys.ServerRef{Address: w.address, Key: server.file.Public}
		_, err := client.Dial(t.Context(), "", &client.Config{Keys: &g, Logger: quiet})
		require.Error(t, err)
		return err
	}
	require.ErrorIs(t, dial(identity(9).file, w.hub), channel.CodeUnknownKey)
	f := *w.people["alice"].file
	f.Name, f.Peers = "bob", nil
	require.ErrorIs(t, dial(&f, w.hub), channel.CodeNameTaken)
	var changed *keys.ChangedKeyError
	require.ErrorAs(t, dial(w.people["alice"].file, identity(8)), &changed)
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(nil)
	conn := w.conn()
	defer conn.Close()
	_, err := conn.Write([]byte("PYSOCK\x02\x00"))
	require.NoError(t, err)
	require.Equal(t, "PYSOCK\x01\x00", readAll(t, conn))

	conn = w.conn()
	defer conn.Close()
	_, err = conn.Write([]byte("PYSOKC\x01\x00"))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)

	// A later minor version is let in.
	conn = w.conn()
	old := preamble
	preamble = []byte("PYSOCK\x01\x07")
	defer func() { preamble = old }()
	c, err := Dial(conn, w.people["alice"].key, w.hub.public(), Hello{}, LinkConfig{MaxMessage: maxMessage})
	require.NoError(t, err)
	require.NoError(t, c.Ping(3))
	c.Close(0, "")
	<-c.Done()
}

// Our client meets a responder of version 2, and the stranger's too.
func TestVersionMismatch(t *testing.T) {
	w := newWorld(t)
	ln := w.listen()
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 8+2+1216))
			_, _ = conn.Write([]byte("PYSOCK\x02\x00"))
			conn.Close()
		}
	}()
	f := *w.people["alice"].file
	f.Server = &keys.ServerRef{Address: w.address, Key: w.hub.file.Public}
	_, err := client.Dial(t.Context(), "", &client.Config{Keys: &f, Logger: quiet})
	require.Error(t, err)
	require.Contains(t, err.Error(), "version")
	_, err = Dial(w.conn(), w.people["alice"].key, w.hub.public(), Hello{}, LinkConfig{MaxMessage: maxMessage})
	require.ErrorIs(t, err, ErrVersion)
}

// Cut connections are told apart from those that ended.
func TestTruncated(t *testing.T) {
	w := newWorld(t)
	srv := w.serveOurs(nil)
	c := w.stranger("alice", LinkConfig{})
	require.NoError(t, c.Ping(1))
	ses, ok := srv.Session("alice")
	require.True(t, ok)
	require.NoError(t, plain(c.Link).Close())
	<-ses.Context().Done()
	var lost *channel.LostError
	require.ErrorAs(t, context.Cause(ses.Context()), &lost)
	<-c.Done()

	b := w.stranger("bob", LinkConfig{})
	require.NoError(t, b.Ping(1))
	w.net.Cut()
	<-b.Done()
	require.True(t, errors.Is(b.Err(), ErrTruncated) || errors.Is(b.Err(), ErrLost), "%v", b.Err())
	require.False(t, b.closeGot)

	d := w.stranger("bob", LinkConfig{})
	require.NoError(t, d.Ping(1))
	require.NoError(t, srv.Close())
	<-d.Done()
	require.True(t, d.closeGot, "%v", d.Err())
}
