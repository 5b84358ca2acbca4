package channel_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

func TestIntegersOfEveryWidthArriveAsTheyWere(t *testing.T) {
	ends(t, int8(math.MinInt8), int8(math.MaxInt8))
	ends(t, int16(math.MinInt16), int16(math.MaxInt16))
	ends(t, int32(math.MinInt32), int32(math.MaxInt32))
	ends(t, int64(math.MinInt64), int64(math.MaxInt64))
	ends(t, math.MinInt, math.MaxInt)
	ends(t, uint8(0), uint8(math.MaxUint8))
	ends(t, uint16(0), uint16(math.MaxUint16))
	ends(t, uint32(0), uint32(math.MaxUint32))
	ends(t, uint64(0), uint64(math.MaxUint64))
	ends(t, uint(0), uint(math.MaxUint))
}

// ends sends the least and the largest of a type, in all that can hold values, and what is beyond the type to it.
func ends[T int8 | int16 | int32 | int64 | int | uint8 | uint16 | uint32 | uint64 | uint](t *testing.T, least, most T) {
	t.Helper()
	for _, n := range []T{least, most, 0, 1, 23, 24} {
		name := fmt.Sprintf("%T %d", n, n)
		roundTrip(t, name, n)
		roundTrip(t, name+" behind a pointer", &n)
		roundTrip(t, name+" in a list", [1]T{n})
		roundTrip(t, name+" in a struct", struct{ N T }{n})
		roundTrip(t, name+" as a key", map[T]T{n: n})
	}
	for _, in := range []any{uint64(math.MaxUint64), int64(math.MinInt64), 0.5, "1", true, nil} {
		body, err := channel.Marshal(in)
		require.NoError(t, err)
		var got T
		err = (&channel.Message{Body: body, Encoding: channel.CBOR}).Decode(&got)
		if err == nil {
			assert.Equal(t, fmt.Sprint(in), fmt.Sprint(got), "it is taken whole, or not at all")
			continue
		}
		assert.ErrorIs(t, err, channel.CodeBadMessage)
	}
}

func TestFloatsKeepTheirBits(t *testing.T) {
	for _, bits := range []uint64{
		0, 1 << 63, 1, 0x000f_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x7fef_ffff_ffff_ffff, // zeros, least, subnormal, normal, largest
		0x7ff0_0000_0000_0000, 0xfff0_0000_0000_0000, // infinities
		0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff8_0000_0000_0001, 0xffff_ffff_ffff_ffff, // quiet NaNs
		0x7ff8_0000_2000_0000, 0x7ffa_0000_0000_0000, // whose payload fits a smaller float
		0x7ff0_0000_0000_0001, 0x7ff4_0000_0000_0000, 0xfff7_ffff_ffff_ffff, // signalling NaNs
		math.Float64bits(0.1), math.Float64bits(1.0 / 3), math.Float64bits(math.Pi), math.Float64bits(1e300), math.Float64bits(65504),
		math.Float64bits(5.960464477539063e-8),
	} {
		f := math.Float64frombits(bits)
		name := fmt.Sprintf("%016x", bits)
		roundTripAs(t, name, f, func(t *testing.T, got float64) { assert.Equal(t, bits, math.Float64bits(got)) })
		roundTripAs(t, name+" in a list", []float64{f}, func(t *testing.T, got []float64) {
			assert.Equal(t, bits, math.Float64bits(got[0]))
		})
		roundTripAs[any](t, name+" of no type", f, func(t *testing.T, got any) { assert.Equal(t, bits, math.Float64bits(got.(float64))) })
	}
	for _, bits := range []uint32{0, 1 << 31, 1, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0001, 0x7f7f_ffff, math.Float32bits(0.1)} {
		roundTripAs(t, fmt.Sprintf("%08x", bits), math.Float32frombits(bits),
			func(t *testing.T, got float32) { assert.Equal(t, bits, math.Float32bits(got)) })
	}
	roundTrip(t, "two numbers", [2]float64{0.1, 1e-300})
}
