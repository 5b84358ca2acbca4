package resume

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

var _ Lower = (*secure.Conn)(nil)

// secured runs a handshake between two ends.
func secured(tb testing.TB, x, y net.Conn) (a, b Lower, err error) {
	tb.Helper()
	kx, err := keys.GeneratePrivateKey()
	require.NoError(tb, err)
	ky, err := keys.GeneratePrivateKey()
	require.NoError(tb, err)
	accepted := make(chan error, 1)
	go func() {
		p, err := secure.Accept(context.Background(), y, &secure.Config{Key: ky})
		if err == nil {
			b, err = p.Welcome(context.Background(), nil)
		}
		accepted <- err
	}()
	a, err = secure.Initiate(context.Background(), x, &secure.Config{Key: kx, VerifyPeer: func(keys.PublicKey) error { return nil }})
	if err = errors.Join(err, <-accepted); err != nil {
		_, _ = x.Close(), y.Close()
	}
	return a, b, err
}

// TestSecret: both sides of a handshake have the same, and no other has.
func TestSecret(t *testing.T) {
	secrets := func() (a, b Secret) {
		x, y := net.Pipe()
		i, r, err := secured(t, x, y)
		require.NoError(t, err)
		defer x.Close()
		a, err = NewSecret(i.(*secure.Conn))
		require.NoError(t, err)
		b, err = NewSecret(r.(*secure.Conn))
		require.NoError(t, err)
		return a, b
	}
	a, b := secrets()
	other, _ := secrets()
	require.Equal(t, [32]byte(a), [32]byte(b))
	require.NotEqual(t, [32]byte(a), [32]byte(other))
	require.Equal(t, "resume.Secret resume.Secret", fmt.Sprintf("%v %#v", a, a))

	hash, session := [HashSize]byte{1}, [16]byte{1}
	proof := a.ClientProof(hash, session, 1, 2)
	require.True(t, Equal(proof, b.ClientProof(hash, session, 1, 2)))
	for name, not := range map[string][32]byte{
		"the server's":          a.ServerProof(hash, session, 1, 2),
		"another handshake's":   a.ClientProof([HashSize]byte{2}, session, 1, 2),
		"its last byte differs": a.ClientProof([HashSize]byte{1, 31: 1}, session, 1, 2),
		"another session's":     a.ClientProof(hash, [16]byte{2}, 1, 2),
		"another attempt's":     a.ClientProof(hash, session, 2, 2),
		"another position's":    a.ClientProof(hash, session, 1, 3),
		"another secret's":      other.ClientProof(hash, session, 1, 2),
	} {
		require.False(t, Equal(proof, not), name)
	}
}
