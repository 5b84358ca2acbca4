package server

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
)

// TestFitsAlone compares what is computed with what a page takes.
func TestFitsAlone(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536, 100_000} {
		entry := service.Entry{Number: 7, Time: -1, Channel: "news", From: "alice", Key: make([]byte, 32),
			Encoding: channel.CBOR, Body: make([]byte, n)}
		page, err := channel.Marshal(service.HistoryPage{Epoch: make([]byte, 16), Anew: true, Lost: math.MaxUint64,
			Last: math.MaxUint64, Entries: []service.Entry{entry}})
		require.NoError(t, err)
		most := len(page) + wire.MessageOverhead
		require.True(t, fitsAlone(entry, most), n)
		require.False(t, fitsAlone(entry, most-1), n)
	}
}
