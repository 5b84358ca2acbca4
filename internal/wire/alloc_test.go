package wire

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNoAllocation has every encoder write into a slice with room, and every
// decoder of frames that hold no text read.
func TestNoAllocation(t *testing.T) {
	buf := make([]byte, 0, MaxFrame)
	for _, v := range readVectors(t).Frames {
		h, f, err := decode(v.Bytes)
		require.NoError(t, err)
		if h.Flags.Has(FlagLast) && !h.Flags.Has(FlagFirst) {
			continue // encode makes a whole body for it
		}
		assert.Zero(t, testing.AllocsPerRun(10, func() { encode(buf, h, f) }), "encode %s", v.Name)
		switch h.Type {
		case TypeChannel, TypeOpen, TypeRefuse, TypeReset, TypeStop, TypeClose:
			continue
		}
		if !h.Flags.Has(FlagError) {
			assert.Zero(t, testing.AllocsPerRun(10, func() { decode(v.Bytes) }), "decode %s", v.Name)
		}
	}
}

// TestDecodeAllocatesByInput has lengths that claim the most with nothing behind them.
func TestDecodeAllocatesByInput(t *testing.T) {
	pipe := append(make([]byte, PipeIDSize), 255)
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() { ParsePipeOpen(pipe) }), 1.0, "the error")

	total := AppendMessage(nil, 1, 0, MessageStart{}, make([]byte, MaxPayload+1))[:MaxFrame]
	total[HeaderSize] = 0x3f
	assert.Zero(t, testing.AllocsPerRun(10, func() { decode(total) }))

	hello := []byte{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, MaxGroups, 255}
	const growing = 5 // a slice of MaxGroups empty strings
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() { ParseHello(hello) }), growing+2.0, "the groups, the error and its text")
}
