package channel_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

func TestPeerOfAnotherConn(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	_, ok := channel.PeerOf(a)
	require.False(t, ok)
}
