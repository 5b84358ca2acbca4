package client

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/secure"
)

// TestPipeToOneWhoIsAway: who does not answer a pipe's handshake is told apart by a code, as all that keeps a pipe from being opened.
func TestPipeToOneWhoIsAway(t *testing.T) {
	err := pipeError("bob", secure.ErrTimeout)
	require.ErrorIs(t, err, channel.CodeTimeout)
	var e *channel.Error
	require.ErrorAs(t, err, &e)
	require.False(t, e.Remote)
	require.ErrorContains(t, err, `pipe to "bob": `)
}
