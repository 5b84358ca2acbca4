package server

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

func newKeyFile(t *testing.T, name string) *keys.File {
	t.Helper()
	key, err := keys.GeneratePrivateKey()
	require.NoError(t, err)
	return &keys.File{Name: name, Private: key, Public: key.Public()}
}

// TestEntersTooLate takes a client off the list, shuts down, or lets a newer session of the same
// instance in, after there was room made for a client and before it is in: it is told, and never
// found.
func TestEntersTooLate(t *testing.T) {
	for want, meanwhile := range map[channel.Code]func(*Server, *keys.File) error{
		channel.CodeRevoked: func(srv *Server, hub *keys.File) error {
			less := *hub
			less.Clients = nil
			return srv.Reload(&less)
		},
		channel.CodeShutdown: func(srv *Server, _ *keys.File) error {
			srv.stopAccepting()
			return nil
		},
		channel.CodeReplaced: func(srv *Server, hub *keys.File) error {
			newer := srv.newSession(&channel.Peer{Name: "alice", Key: hub.Clients["alice"]}, &wire.Hello{Instance: [16]byte{1}})
			h := new(handshake)
			srv.handshakes.add(h)
			err := srv.join(newer, h)
			srv.handshakes.done(h)
			context.AfterFunc(srv.ctx, func() { srv.abandonJoin(newer) })
			return err
		},
	} {
		t.Run(want.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { enterTooLate(t, want, meanwhile) })
		})
	}
}

func enterTooLate(t *testing.T, want channel.Code, meanwhile func(*Server, *keys.File) error) {
	hub, alice := newKeyFile(t, keys.ServerName), newKeyFile(t, "alice")
	hub.Clients = map[string]keys.PublicKey{"alice": alice.Public}
	srv := &Server{Keys: hub}
	require.NoError(t, srv.start())

	a, b := net.Pipe()
	said := make(chan []byte, 1)
	go func() {
		conn, err := secure.Initiate(context.Background(), a, &secure.Config{Key: alice.Private, VerifyPeer: func(keys.PublicKey) error {
			return nil
		}})
		if err != nil {
			said <- nil
			return
		}
		all, _ := io.ReadAll(conn) // until the server has said all
		said <- all
		conn.Close()
	}()
	pending, err := secure.Accept(context.Background(), b, &secure.Config{Key: hub.Private})
	require.NoError(t, err)
	sess := srv.newSession(&channel.Peer{Name: "alice", Key: alice.Public}, &wire.Hello{Instance: [16]byte{1}})
	h := new(handshake)
	srv.handshakes.add(h)
	err = srv.join(sess, h)
	require.NoError(t, err)
	_, err = pending.WelcomeWith(context.Background(), nil, func(c *secure.Conn) {
		require.NoError(t, meanwhile(srv, hub))
		sess.begin(c, wire.DefaultMaxMessage)
		_, found := srv.Session("alice")
		require.False(t, found)
	})
	require.NoError(t, err)
	srv.handshakes.done(h)

	frames := <-said
	require.Greater(t, len(frames), wire.HeaderSize)
	head, err := wire.ParseHeader(frames[:wire.HeaderSize])
	require.NoError(t, err)
	r, err := wire.ParseReason(head.Type, frames[wire.HeaderSize:])
	require.NoError(t, err)
	require.Equal(t, want, channel.Code(r.Code))
	require.Zero(t, srv.Stats().SessionsBegun)
	require.EqualValues(t, 1, srv.Stats().SessionsRefused)
	require.NoError(t, srv.Close())
	synctest.Wait()
	require.Zero(t, srv.Stats().Sessions+srv.Stats().Ending)
}
