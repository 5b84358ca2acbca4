package stranger

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// securePair connects the stranger to package secure, either as the initiator.
func securePair(t *testing.T, strangerOpens bool) (*secureConn, *secure.Conn) {
	t.Helper()
	alice, bob := identity(1), identity(2)
	pipe := &PipeContext{ID: [16]byte{1, 2, 3}, Opener: "älice", Target: "bob"}
	binding := &secure.Binding{ID: pipe.ID, Opener: pipe.Opener, Target: pipe.Target}
	a, b := memnet.Pipe(memnet.Config{Buffer: 4 << 20})
	var wg sync.WaitGroup
	defer wg.Wait()
	if strangerOpens {
		var theirs *secure.Conn
		var errTheirs error
		wg.Go(func() {
			var p *secure.Pending
			if p, errTheirs = secure.Accept(t.Context(), b, &secure.Config{Key: bob.file.Private, Pipe: binding}); errTheirs == nil {
				theirs, errTheirs = p.Welcome(t.Context(), []byte("welcome"))
			}
		})
		mine, welcome, err := initiate(a, handshakeKeys{static: alice.key}, pipe, bob.public(), func([32]byte) []byte {
			return []byte("hello")
		})
		require.NoError(t, err)
		require.Equal(t, "welcome", string(welcome))
		wg.Wait()
		require.NoError(t, errTheirs)
		require.Equal(t, alice.file.Public, theirs.PeerKey())
		return mine, theirs
	}
	var mine *secureConn
	var errMine error
	wg.Go(func() {
		mine, errMine = respond(b, handshakeKeys{static: bob.key}, pipe, func(_, hello []byte, _ hashes) []byte {
			return append([]byte{0}, hello...)
		})
	})
	theirs, err := secure.Initiate(t.Context(), a, &secure.Config{
		Key: alice.file.Private, Pipe: binding, Hello: []byte("hello"), VerifyPeer: func(keys.PublicKey) error { return nil },
	})
	require.NoError(t, err)
	require.Equal(t, "hello", string(theirs.Welcome()))
	wg.Wait()
	require.NoError(t, errMine)
	return mine, theirs
}

func bothRoles(t *testing.T, test func(t *testing.T, mine *secureConn, theirs *secure.Conn)) {
	for name, opens := range map[string]bool{"initiator": true, "responder": false} {
		t.Run(name, func(t *testing.T) {
			mine, theirs := securePair(t, opens)
			defer theirs.CloseNow()
			defer mine.conn.Close()
			test(t, mine, theirs)
		})
	}
}

// A rekey of package secure's direction, then the end of one, and then of the other.
func TestSecureRekey(t *testing.T) {
	t.Parallel()
	const most = rekeyStep + 10
	bothRoles(t, func(t *testing.T, mine *secureConn, theirs *secure.Conn) {
		require.Equal(t, theirs.HandshakeHash(), mine.hash)
		secret, err := theirs.Export("test", 100)
		require.NoError(t, err)
		require.Equal(t, secret, mine.export("test", 100))
		// A part at a time, for what is in the buffers of memnet is bounded. The
		// other direction's rekey is in rekey_test.go.
		all := pattern(most)
		for start := 0; start < most; start += 10_000 {
			part := all[start:min(start+10_000, most)]
			for i := range part {
				_, err = theirs.Write(part[i : i+1])
				require.NoError(t, err)
			}
			got := make([]byte, len(part))
			_, err := io.ReadFull(mine, got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(part, got))
		}
		require.NoError(t, mine.End())
		require.Empty(t, readAll(t, theirs))
		_, err = theirs.Write(pattern(mostPlain))
		require.NoError(t, err)
		require.NoError(t, theirs.CloseWrite())
		require.Len(t, readAll(t, mine), mostPlain)
	})
}

func TestSecureTruncated(t *testing.T) {
	bothRoles(t, func(t *testing.T, mine *secureConn, theirs *secure.Conn) {
		_, err := theirs.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, theirs.CloseNow())
		_, err = io.ReadAll(mine)
		require.ErrorIs(t, err, ErrTruncated)
	})
	bothRoles(t, func(t *testing.T, mine *secureConn, theirs *secure.Conn) {
		require.NoError(t, mine.conn.Close())
		_, err := theirs.Read(make([]byte, 1))
		var cut *secure.TruncatedError
		require.ErrorAs(t, err, &cut)
	})
}

// Records that break a rule of section 5, sealed with the right key.
func TestSecureBadRecords(t *testing.T) {
	seal := func(kind byte, content []byte) func(*secureConn) []byte {
		return func(s *secureConn) []byte { return framed(s.out.encrypt(nil, append([]byte{kind}, content...))) }
	}
	for name, bad := range map[string]func(*secureConn) []byte{
		"empty data":       seal(recordData, nil),
		"end with content": seal(recordEnd, []byte("x")),
		"early rekey":      seal(recordRekey, nil),
		"verdict":          seal(recordVerdict, []byte{0}),
		"unknown type":     seal(4, nil),
		"too short":        func(s *secureConn) []byte { return append([]byte{0, 16}, make([]byte, 16)...) },
		"no rekey": func(s *secureConn) []byte {
			var all []byte
			for s.out.n < rekeyStep {
				all = append(all, framed(s.out.encrypt(nil, []byte{recordData, 'x'}))...)
			}
			return all
		},
		"after the end": func(s *secureConn) []byte {
			return append(seal(recordEnd, nil)(s), seal(recordData, []byte("x"))(s)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			mine, theirs := securePair(t, true)
			defer theirs.CloseNow()
			defer mine.conn.Close()
			b := bad(mine)
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = mine.conn.Write(b) })
			_, err := io.Copy(io.Discard, theirs)
			if name == "after the end" {
				t.Log(err)
			} else {
				require.ErrorIs(t, err, secure.ErrProtocol)
			}
			theirs.CloseNow()
			wg.Wait()
		})
	}
}
