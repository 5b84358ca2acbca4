package wire

import (
	"encoding/binary"
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

// TestNoAllocationInHello allows for what a hello and a welcome hold: names, the
// slice of the groups, the token.
func TestNoAllocationInHello(t *testing.T) {
	buf := make([]byte, 0, MaxHello)
	v := readVectors(t)
	for _, v := range v.Hellos {
		h := v.hello()
		assert.Zero(t, testing.AllocsPerRun(10, func() { h.Append(buf) }), "encode %s", v.Name)
		if h.Name != "" || h.Groups != nil {
			continue
		}
		want := 0.0
		if h.Resume != nil {
			want = 1
		}
		assert.Equal(t, want, testing.AllocsPerRun(10, func() { ParseHello(v.Bytes) }), "decode %s", v.Name)
	}
	for _, v := range v.Welcomes {
		w := v.welcome()
		assert.Zero(t, testing.AllocsPerRun(10, func() { w.Append(buf) }), "encode %s", v.Name)
		want := 0.0
		if w.Name != "" {
			want = 1
		}
		assert.Equal(t, want, testing.AllocsPerRun(10, func() { ParseWelcome(v.Bytes) }), "decode %s", v.Name)
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
	token := make([]byte, 29)
	token[6] = 1 // a max message
	for _, length := range []uint16{1, TokenSize, 1<<16 - 1} {
		binary.BigEndian.PutUint16(token[27:], length)
		assert.LessOrEqual(t, testing.AllocsPerRun(10, func() { ParseHello(token) }), 3.0, "the token, the error and its text")
	}

	const growing = 5 // a slice of MaxGroups empty strings
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() { ParseHello(hello) }), growing+2.0, "the groups, the error and its text")
}
