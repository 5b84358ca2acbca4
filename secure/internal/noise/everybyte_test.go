package noise

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryByte alters each byte of each message of the hybrid handshake. The one who reads it, or
// at the latest the initiator when it reads message 2, must notice. States are copied, so that each
// attempt starts where the last honest message was.
func TestEveryByte(t *testing.T) {
	i, r := newPair(t, XXhfs)
	msg1, err := i.WriteMessage(nil, nil)
	require.NoError(t, err)
	for pos := range msg1 {
		initiator, responder := snapshot(i), snapshot(r)
		if _, err := responder.ReadMessage(nil, altered(msg1, pos)); err != nil {
			continue
		}
		msg2, err := responder.WriteMessage(nil, nil)
		if err != nil {
			continue
		}
		_, err = initiator.ReadMessage(nil, msg2)
		require.Error(t, err, "message 1, byte %d", pos)
	}

	_, err = r.ReadMessage(nil, msg1)
	require.NoError(t, err)
	msg2, err := r.WriteMessage(nil, nil)
	require.NoError(t, err)
	for pos := range msg2 {
		initiator := snapshot(i)
		_, err := initiator.ReadMessage(nil, altered(msg2, pos))
		require.Error(t, err, "message 2, byte %d", pos)
	}

	_, err = i.ReadMessage(nil, msg2)
	require.NoError(t, err)
	msg3, err := i.WriteMessage(nil, []byte("hello"))
	require.NoError(t, err)
	for pos := range msg3 {
		responder := snapshot(r)
		_, err := responder.ReadMessage(nil, altered(msg3, pos))
		require.Error(t, err, "message 3, byte %d", pos)
	}
	_, err = r.ReadMessage(nil, msg3)
	require.NoError(t, err, "the states were not changed by the attempts")
}

// snapshot copies a state with all that changes in it.
func snapshot(hs *HandshakeState) *HandshakeState {
	c := *hs
	if hs.cipher != nil {
		cipher := *hs.cipher
		c.cipher = &cipher
	}
	return &c
}

func altered(msg []byte, pos int) []byte {
	b := bytes.Clone(msg)
	b[pos] ^= 0x20
	return b
}
