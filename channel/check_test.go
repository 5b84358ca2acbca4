package channel

import (
	"bytes"
	"encoding/hex"
	"runtime"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// badBodies are refused by every decoder and never sent. Each is named for what is wrong with it.
var badBodies = map[string][]byte{
	"empty body":                   {},
	"cut head":                     unhex("19 01"),
	"cut text":                     unhex("63 6161"),
	"cut bytes":                    unhex("43 6161"),
	"cut array":                    unhex("82 01"),
	"cut map":                      unhex("a1 01"),
	"cut tag":                      unhex("c0"),
	"2^32 elements":                unhex("9a ffffffff"),
	"2^64-1 elements":              unhex("9b ffffffffffffffff"),
	"2^64-1 pairs":                 unhex("bb ffffffffffffffff"),
	"2^63 pairs":                   unhex("bb 8000000000000000 01 02"),
	"2^64-1 bytes":                 unhex("5b ffffffffffffffff"),
	"2^64-1 bytes of text":         unhex("7b ffffffffffffffff"),
	"trailing byte":                unhex("01 00"),
	"two values":                   unhex("f6 f6"),
	"invalid UTF-8":                unhex("61 ff"),
	"half a rune":                  unhex("82 61 c3 61 a9"),
	"a surrogate":                  unhex("63 eda080"),
	"invalid UTF-8 in a key":       unhex("a1 61ff 01"),
	"NaN key, half":                unhex("a1 f97e00 01"),
	"NaN key, single":              unhex("a1 fa7fc00000 01"),
	"NaN key, double":              unhex("a1 fb7ff8000000000000 01"),
	"NaN key, negative":            unhex("a1 fbfff8000000000000 01"),
	"NaN key, signalling":          unhex("a1 fb7ff0000000000001 01"),
	"NaN key after another":        unhex("a2 01 01 f97e00 01"),
	"NaN in an array in a key":     unhex("a1 82 01 f97e00 01"),
	"NaN in a map in a key":        unhex("a1 a1 01 f97e00 01"),
	"NaN in a tag in a key":        unhex("a1 c1 f97e00 01"),
	"indefinite array":             unhex("9f 01 ff"),
	"indefinite map":               unhex("bf 01 02 ff"),
	"indefinite text":              unhex("7f 6161 ff"),
	"indefinite bytes":             unhex("5f 4161 ff"),
	"break alone":                  unhex("ff"),
	"indefinite integer":           unhex("1f"),
	"indefinite tag":               unhex("df 01"),
	"reserved head 28":             unhex("1c"),
	"reserved head 30":             unhex("9e"),
	"simple value 0":               unhex("e0"),
	"simple value 19":              unhex("f3"),
	"simple value 255":             unhex("f8 ff"),
	"simple value 24, ill-formed":  unhex("f8 18"),
	"33 arrays in one another":     append(bytes.Repeat([]byte{0x81}, 33), 0x01),
	"tag 0 and a number":           unhex("c0 01"),
	"tag 0 and nothing":            unhex("c0"),
	"tag 0 and a long year":        unhex("c0 75 31303030302d30312d30315430303a30303a30305a"),
	"33 tags in one another":       append(bytes.Repeat([]byte{0xc6}, 33), 0x01),
	"10,000 arrays in one another": append(bytes.Repeat([]byte{0x81}, 10_000), 0x01),
	"10,000 maps in one another":   append(bytes.Repeat([]byte{0xa1, 0x01}, 10_000), 0x01),
	"too many in one array":        append(unhex("9a 00100001"), make([]byte, 1<<20+1)...),
	"too many in one map":          append(unhex("ba 00100001"), make([]byte, 2<<20+2)...),
}

// goodBodies are within the limits, some of them just so.
var goodBodies = map[string][]byte{
	"zero":                          unhex("00"),
	"integer in more bytes":         unhex("1b 0000000000000001"),
	"NaN":                           unhex("f97e00"),
	"NaN as a value":                unhex("a1 01 f97e00"),
	"NaN behind a map that ends":    unhex("82 a1 01 02 f97e00"),
	"infinity as a key":             unhex("a3 f97c00 01 fa7f800000 02 fb7ff0000000000000 03"),
	"undefined":                     unhex("f7"),
	"tag":                           unhex("d9 d9f7 01"),
	"32 arrays in one another":      append(bytes.Repeat([]byte{0x81}, 32), 0x01),
	"32 tags in one another":        append(bytes.Repeat([]byte{0xc6}, 32), 0x01),
	"empty array within 31":         append(bytes.Repeat([]byte{0x81}, 31), 0x80),
	"empty array, map, text, bytes": unhex("84 80 a0 60 40"),
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestCheckRefuses(t *testing.T) {
	for name, body := range badBodies {
		t.Run(name, func(t *testing.T) {
			require.Error(t, check(body))
			for _, v := range []any{new(any), new([]any), new(map[string]any), new(map[any]any), new(int), new(string),
				new([]int), new([][]string), new(map[string]int), new(struct{ A int }), new(cbor.RawMessage)} {
				err := (&Message{Encoding: CBOR, Body: body}).Decode(v)
				assert.ErrorIs(t, err, CodeBadMessage, "%T", v)
			}
			if len(body) > 0 { // the encoder writes null for an empty one
				_, err := Marshal(cbor.RawMessage(body))
				assert.ErrorIs(t, err, CodeBadMessage)
			}
		})
	}
}

func TestCheckTakes(t *testing.T) {
	for name, body := range goodBodies {
		assert.NoError(t, check(body), name)
		assert.NoError(t, typedDecoder.Wellformed(body), "%s: the decoder must not be stricter than what is sent", name)
	}
}

func TestCheckSaysWhere(t *testing.T) {
	assert.EqualError(t, check(unhex("82 01 61ff")), "not a CBOR value: text that is not UTF-8, at byte 2")
	assert.EqualError(t, check(nil), "not a CBOR value: it ends too early, at byte 0")
	assert.EqualError(t, check(unhex("01 02")), "not a CBOR value: bytes follow the value, at byte 1")
}

func TestItemsAreBoundedAllTogether(t *testing.T) {
	for n, in := range map[int]string{
		1: "01", 4: "83 01 02 03", 5: "a2 01 02 03 04", 6: "82 81 01 a1 01 02", 3: "c6 c6 01", 7: "86 80 80 80 a0 a0 a0",
	} {
		assert.NoError(t, checkWithin(unhex(in), n), in)
		assert.ErrorIs(t, checkWithin(unhex(in), n-1), errItems, in)
	}

	most := append(unhex("9a 000fffff"), make([]byte, maxItems-1)...) // the array is an item too
	assert.NoError(t, check(most))
	most[4]--
	most = append([]byte{0x82}, most...)
	assert.ErrorIs(t, check(most), errItems)
}

// A head that claims billions of elements costs its error and no more.
func TestAClaimedLengthIsNotAllocated(t *testing.T) {
	for _, name := range []string{"2^32 elements", "2^64-1 elements", "2^64-1 pairs", "2^64-1 bytes"} {
		m := &Message{Encoding: CBOR, Body: badBodies[name]}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := m.Value()
		runtime.ReadMemStats(&after)
		assert.Error(t, err)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), name)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	body := goodBodies["empty array, map, text, bytes"]
	assert.Zero(t, testing.AllocsPerRun(10, func() { _ = check(body) }))
}

// FuzzCheck compares check with the decoder's own test: what check lets pass must be well-formed,
// and what is well-formed it may refuse only for what check alone looks at.
func FuzzCheck(f *testing.F) {
	for _, body := range badBodies {
		if len(body) < 1<<16 {
			f.Add(body)
		}
	}
	for _, body := range goodBodies {
		if len(body) < 1<<16 {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ours, theirs := check(body), typedDecoder.Wellformed(body)
		if ours == nil {
			require.NoError(t, theirs)
			return
		}
		for _, own := range []error{errUTF8, errNaNKey, errSimple, errTime, errItems, errNesting} {
			if strings.Contains(ours.Error(), own.Error()) {
				return
			}
		}
		require.Error(t, theirs, "refused: %v", ours)
	})
}
