package secure

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/keys"
)

// TestHelloFor has a hello that is bound to its handshake: both sides have the
// same hash when it is made, and another at the end.
func TestHelloFor(t *testing.T) {
	hashes := map[string]bool{}
	for _, size := range []int{0, 1, MaxHello - 32} {
		a, b := pipePair(t)
		ci, cr := configs(t)
		var calls []string
		ci.VerifyPeer = func(keys.PublicKey) error { calls = append(calls, "VerifyPeer"); return nil }
		ci.Hello = nil
		ci.HelloFor = func(hash []byte) ([]byte, error) {
			calls = append(calls, "HelloFor")
			return append(bytes.Clone(hash), make([]byte, size)...), nil
		}
		ch := initiateAsync(t.Context(), a, ci)
		p, err := Accept(t.Context(), b, cr)
		require.NoError(t, err)
		require.Equal(t, []string{"VerifyPeer", "HelloFor"}, calls)
		require.Len(t, p.HelloHash(), 32)
		require.Equal(t, append(p.HelloHash(), make([]byte, size)...), p.Hello())
		final := p.HandshakeHash()
		require.NotEqual(t, p.HelloHash(), final)
		clear(p.HelloHash()) // it is a copy
		require.Equal(t, p.HelloHash(), p.Hello()[:32])

		c, err := p.Welcome(t.Context(), final)
		require.NoError(t, err)
		r := <-ch
		require.NoError(t, r.err)
		require.Equal(t, r.c.HandshakeHash(), r.c.Welcome())
		require.Equal(t, final, c.HandshakeHash())
		hashes[string(p.HelloHash())], hashes[string(final)] = true, true
		r.c.CloseNow()
		c.CloseNow()
	}
	require.Len(t, hashes, 6, "none is another's")
}

// TestHelloForIsNotAsked shows that nobody is asked for a hello to a responder
// who is not wanted.
func TestHelloForIsNotAsked(t *testing.T) {
	a, b := pipePair(t)
	ci, cr := configs(t)
	unwanted := errors.New("unwanted")
	ci.VerifyPeer = func(keys.PublicKey) error { return unwanted }
	ci.Hello = nil
	ci.HelloFor = func([]byte) ([]byte, error) { t.Error("asked for a hello"); return nil, nil }
	accepted := acceptAsync(t.Context(), b, cr)
	_, err := Initiate(t.Context(), a, ci)
	require.ErrorIs(t, err, unwanted)
	require.Error(t, (<-accepted).err)
}

// TestHelloForFails ends the handshake before anything of message 3 is sent.
func TestHelloForFails(t *testing.T) {
	none := errors.New("there is none")
	for name, c := range map[string]struct {
		hello []byte
		err   error
		want  error
	}{
		"an error": {[]byte("x"), none, none},
		"too long": {make([]byte, MaxHello+1), nil, errLongHello},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pipePair(t)
			ci, cr := configs(t)
			ci.Hello = nil
			ci.HelloFor = func([]byte) ([]byte, error) { return c.hello, c.err }
			accepted := acceptAsync(t.Context(), b, cr)
			_, err := Initiate(t.Context(), a, ci)
			require.ErrorIs(t, err, c.want)
			var cut *TruncatedError
			require.ErrorAs(t, (<-accepted).err, &cut, "the connection is closed")
		})
	}
}
