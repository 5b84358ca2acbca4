package noise

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"testing"

	flynn "github.com/flynn/noise"
	"github.com/stretchr/testify/require"
)

func newKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	return k
}

func newPair(t testing.TB, suite *Suite) (initiator, responder *HandshakeState) {
	t.Helper()
	i, err := New(Config{Suite: suite, Initiator: true, Prologue: []byte("p"), Static: newKey(t)})
	require.NoError(t, err)
	r, err := New(Config{Suite: suite, Prologue: []byte("p"), Static: newKey(t)})
	require.NoError(t, err)
	return i, r
}

// finish runs a whole handshake with the payloads given.
func finish(t testing.TB, i, r *HandshakeState) (*Result, *Result) {
	t.Helper()
	from, to := i, r
	for range 3 {
		msg, err := from.WriteMessage(nil, nil)
		require.NoError(t, err)
		_, err = to.ReadMessage(nil, msg)
		require.NoError(t, err)
		from, to = to, from
	}
	ri, err := i.Split()
	require.NoError(t, err)
	rr, err := r.Split()
	require.NoError(t, err)
	return ri, rr
}

func TestSizes(t *testing.T) {
	for suite, want := range map[*Suite][]int{XXhfs: {1216, 1200, 64}, XX: {32, 96, 64}} {
		from, to := newPair(t, suite)
		for n, size := range want {
			msg, err := from.WriteMessage([]byte("prefix"), nil)
			require.NoError(t, err)
			require.Len(t, msg, len("prefix")+size, "%s message %d", suite.Name(), n+1)
			before := slices.Clone(msg)
			payload, err := to.ReadMessage([]byte("kept"), msg[len("prefix"):])
			require.NoError(t, err)
			require.Equal(t, "kept", string(payload))
			require.Equal(t, before, msg, "ReadMessage must not change the message")
			from, to = to, from
		}
	}
}

// flynn/noise is another implementation of XX: both roles, with payloads.
func TestAgainstFlynn(t *testing.T) {
	for _, weInitiate := range []bool{true, false} {
		t.Run(fmt.Sprintf("initiator=%v", weInitiate), func(t *testing.T) {
			suite := flynn.NewCipherSuite(flynn.DH25519, flynn.CipherChaChaPoly, flynn.HashSHA256)
			static, err := suite.GenerateKeypair(nil)
			require.NoError(t, err)
			theirs, err := flynn.NewHandshakeState(flynn.Config{
				CipherSuite: suite, Pattern: flynn.HandshakeXX, Initiator: !weInitiate,
				Prologue: []byte("prologue"), StaticKeypair: static,
			})
			require.NoError(t, err)
			ours, err := New(Config{Suite: XX, Initiator: weInitiate, Prologue: []byte("prologue"), Static: newKey(t)})
			require.NoError(t, err)

			var c1, c2 *flynn.CipherState
			for n := range 3 {
				payload := bytes.Repeat([]byte{byte('a' + n)}, 100*n)
				var got []byte
				if (n%2 == 0) == weInitiate {
					msg, err := ours.WriteMessage(nil, payload)
					require.NoError(t, err)
					got, c1, c2, err = theirs.ReadMessage(nil, msg)
					require.NoError(t, err)
				} else {
					var msg []byte
					msg, c1, c2, err = theirs.WriteMessage(nil, payload)
					require.NoError(t, err)
					got, err = ours.ReadMessage(nil, msg)
					require.NoError(t, err)
				}
				require.Equal(t, string(payload), string(got))
			}
			require.Equal(t, static.Public, ours.PeerStatic().Bytes())
			res, err := ours.Split()
			require.NoError(t, err)
			require.Equal(t, theirs.ChannelBinding(), res.Hash[:])

			send, recv := c2, c1 // flynn's, when flynn responds
			if !weInitiate {
				send, recv = c1, c2
			}
			for n := range 5 {
				text := fmt.Sprintf("message %d", n)
				sealed, err := res.Send.Seal(nil, nil, []byte(text))
				require.NoError(t, err)
				opened, err := recv.Decrypt(nil, nil, sealed)
				require.NoError(t, err)
				require.Equal(t, text, string(opened))
				sealed, err = send.Encrypt(nil, nil, []byte(text))
				require.NoError(t, err)
				opened, err = res.Recv.Open(nil, nil, sealed)
				require.NoError(t, err)
				require.Equal(t, text, string(opened))
				if n == 2 {
					res.Send.Rekey()
					recv.Rekey()
					send.Rekey()
					res.Recv.Rekey()
				}
			}
		})
	}
}

// Every byte of every message is authenticated, at the latest by the next one.
func TestTamper(t *testing.T) {
	for _, suite := range []*Suite{XX, XXhfs} {
		for n := range 3 {
			for pos := 0; ; {
				from, to := newPair(t, suite)
				var err error
				done := false
				for m := 0; m < 3 && err == nil; m++ {
					msg, werr := from.WriteMessage(nil, []byte("payload"))
					require.NoError(t, werr)
					if m == n {
						if pos >= len(msg) {
							done = true
							break
						}
						msg[pos] ^= 4
					}
					_, err = to.ReadMessage(nil, msg)
					from, to = to, from
				}
				if done {
					break
				}
				require.Error(t, err, "%s message %d byte %d", suite.Name(), n+1, pos)
				if n == 0 { // bytes of message 1 are many and alike
					pos += 37
				} else {
					pos += 7
				}
			}
		}
	}
}

func TestTruncated(t *testing.T) {
	for n := range 3 {
		for _, cut := range []int{1, 16, 17, 33, 1 << 20} {
			from, to := newPair(t, XXhfs)
			for m := range n + 1 {
				msg, err := from.WriteMessage(nil, nil)
				require.NoError(t, err)
				if m < n {
					_, err = to.ReadMessage(nil, msg)
					require.NoError(t, err)
					from, to = to, from
					continue
				}
				_, err = to.ReadMessage(nil, msg[:max(0, len(msg)-cut)])
				require.Error(t, err)
				_, err = to.ReadMessage(nil, msg)
				require.ErrorIs(t, err, ErrState, "a failed handshake must stay failed")
			}
		}
	}
}

func TestOutOfTurn(t *testing.T) {
	i, r := newPair(t, XXhfs)
	_, err := r.WriteMessage(nil, nil)
	require.ErrorIs(t, err, ErrState)
	_, err = i.ReadMessage(nil, make([]byte, 1216))
	require.ErrorIs(t, err, ErrState)
	_, err = i.WriteMessage(nil, nil)
	require.ErrorIs(t, err, ErrState, "a call out of turn is final")

	i, _ = newPair(t, XXhfs)
	_, err = i.Split()
	require.ErrorIs(t, err, ErrState)

	i, r = newPair(t, XXhfs)
	finish(t, i, r)
	for _, hs := range []*HandshakeState{i, r} {
		_, err = hs.Split()
		require.ErrorIs(t, err, ErrState)
		_, err = hs.WriteMessage(nil, nil)
		require.ErrorIs(t, err, ErrState)
		_, err = hs.ReadMessage(nil, nil)
		require.ErrorIs(t, err, ErrState)
	}
}

func TestPrologueMatters(t *testing.T) {
	i, r := newPair(t, XXhfs)
	r.mixHash([]byte("more"))
	msg, err := i.WriteMessage(nil, nil)
	require.NoError(t, err)
	_, err = r.ReadMessage(nil, msg)
	require.NoError(t, err)
	msg, err = r.WriteMessage(nil, nil)
	require.NoError(t, err)
	_, err = i.ReadMessage(nil, msg)
	require.ErrorIs(t, err, ErrDecrypt)
}

// Points of small order would make a DH predictable.
func TestZeroDH(t *testing.T) {
	one := append([]byte{1}, make([]byte, 31)...)
	for name, point := range map[string][]byte{"zero": make([]byte, 32), "one": one} {
		_, r := newPair(t, XX)
		_, err := r.ReadMessage(nil, point)
		require.NoError(t, err, name)
		_, err = r.WriteMessage(nil, nil)
		require.ErrorIs(t, err, ErrPublicKey, name)
	}
}

func TestBadKEMKey(t *testing.T) {
	i, r := newPair(t, XXhfs)
	msg, err := i.WriteMessage(nil, nil)
	require.NoError(t, err)
	for n := range 384 {
		msg[32+n] = 0xff // coefficients of 4095, which are above the modulus
	}
	_, err = r.ReadMessage(nil, msg)
	require.ErrorIs(t, err, ErrPublicKey)
}

func TestPayloadTooLong(t *testing.T) {
	i, r := newPair(t, XXhfs)
	_, err := i.WriteMessage(nil, make([]byte, MaxMessageSize-1215))
	require.ErrorIs(t, err, ErrLength)
	_, err = r.ReadMessage(nil, make([]byte, MaxMessageSize+1))
	require.ErrorIs(t, err, ErrLength)
}

func TestStaticKeyRequired(t *testing.T) {
	_, err := New(Config{Suite: XXhfs})
	require.Error(t, err)
	p256, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, err = New(Config{Suite: XXhfs, Static: p256})
	require.Error(t, err)
}

func TestNonceExhaustion(t *testing.T) {
	i, r := newPair(t, XX)
	ri, rr := finish(t, i, r)
	ri.Send.n, rr.Recv.n = math.MaxUint64-1, math.MaxUint64-1
	sealed, err := ri.Send.Seal(nil, nil, []byte("the last"))
	require.NoError(t, err)
	_, err = rr.Recv.Open(nil, nil, sealed)
	require.NoError(t, err)
	require.Equal(t, uint64(math.MaxUint64), ri.Send.Nonce())
	_, err = ri.Send.Seal(nil, nil, nil)
	require.ErrorIs(t, err, ErrNonce)
	_, err = rr.Recv.Open(nil, nil, sealed)
	require.ErrorIs(t, err, ErrNonce)

	s := symmetricState{cipher: ri.Send}
	_, err = s.encryptAndHash(nil, nil)
	require.ErrorIs(t, err, ErrNonce)
}

func TestExport(t *testing.T) {
	ri, rr := finish2(t)
	a, err := ri.Export("label", 32)
	require.NoError(t, err)
	b, err := rr.Export("label", 32)
	require.NoError(t, err)
	require.Equal(t, a, b)
	other, err := ri.Export("another", 32)
	require.NoError(t, err)
	require.NotEqual(t, a, other)
	_, err = ri.Export("label", 255*32+1)
	require.Error(t, err)
	ri2, _ := finish2(t)
	c, err := ri2.Export("label", 32)
	require.NoError(t, err)
	require.NotEqual(t, a, c)
}

func finish2(t *testing.T) (*Result, *Result) {
	i, r := newPair(t, XXhfs)
	return finish(t, i, r)
}

func TestSealInPlace(t *testing.T) {
	ri, rr := finish2(t)
	buf := make([]byte, 0, 64)
	buf = append(buf, "in place"...)
	sealed, err := ri.Send.Seal(buf[:0], nil, buf)
	require.NoError(t, err)
	require.Same(t, &buf[0], &sealed[0])
	opened, err := rr.Recv.Open(sealed[:0], nil, sealed)
	require.NoError(t, err)
	require.Equal(t, "in place", string(opened))
	require.Zero(t, testing.AllocsPerRun(10, func() {
		sealed, _ := ri.Send.Seal(buf[:0], nil, buf[:8])
		rr.Recv.Open(sealed[:0], nil, sealed)
	}))
}

func FuzzResponder(f *testing.F) {
	i, _ := newPair(f, XXhfs)
	msg, _ := i.WriteMessage(nil, nil)
	f.Add(msg, make([]byte, 64))
	f.Fuzz(func(t *testing.T, msg1, msg3 []byte) {
		_, r := newPair(t, XXhfs)
		if _, err := r.ReadMessage(nil, msg1); err != nil {
			return
		}
		if _, err := r.WriteMessage(nil, nil); err != nil {
			return
		}
		if _, err := r.ReadMessage(nil, msg3); err == nil {
			t.Fatal("a made-up message 3 was accepted")
		}
	})
}

// Both sides' cryptography of one handshake.
func BenchmarkHandshake(b *testing.B) {
	b.ReportAllocs()
	is, rs := newKey(b), newKey(b)
	for b.Loop() {
		i, _ := New(Config{Suite: XXhfs, Initiator: true, Static: is})
		r, _ := New(Config{Suite: XXhfs, Static: rs})
		finish(b, i, r)
	}
}

// The responder's part alone, which is what a server pays.
func BenchmarkResponder(b *testing.B) {
	is, rs := newKey(b), newKey(b)
	for range b.N {
		b.StopTimer()
		i, _ := New(Config{Suite: XXhfs, Initiator: true, Static: is})
		msg1, _ := i.WriteMessage(nil, nil)
		b.StartTimer()
		r, _ := New(Config{Suite: XXhfs, Static: rs})
		r.ReadMessage(nil, msg1)
		msg2, _ := r.WriteMessage(nil, nil)
		b.StopTimer()
		i.ReadMessage(nil, msg2)
		msg3, _ := i.WriteMessage(nil, nil)
		b.StartTimer()
		if _, err := r.ReadMessage(nil, msg3); err != nil {
			b.Fatal(err)
		}
		r.Split()
	}
}
