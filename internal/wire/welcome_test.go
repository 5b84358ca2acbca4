package wire

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (v welcomeVector) welcome() Welcome {
	w := Welcome{
		Features: v.Features, MaxMessage: v.MaxMessage, Name: v.Bound,
		Grace: v.Grace, Resumed: v.Resumed, Position: v.Position,
	}
	copy(w.Record[:], v.Record)
	copy(w.Session[:], v.Session)
	copy(w.Proof[:], v.Proof)
	return w
}

func TestWelcomeVectors(t *testing.T) {
	for _, v := range readVectors(t).Welcomes {
		want := v.welcome()
		got, err := ParseWelcome(v.Bytes)
		require.NoError(t, err, v.Name)
		assert.Equal(t, want, got, v.Name)

		b, err := want.Append([]byte("before"))
		require.NoError(t, err, v.Name)
		assert.Equal(t, "before"+string(v.Bytes), string(b), v.Name)
		assert.LessOrEqual(t, len(v.Bytes), MaxWelcome, v.Name)

		for n := range v.Bytes {
			_, err := ParseWelcome(v.Bytes[:n])
			requireError(t, err, CodeProtocol)
		}
		_, err = ParseWelcome(append(bytes.Clone(v.Bytes), 0))
		requireError(t, err, CodeProtocol)
	}
}

func TestBadWelcomeVectors(t *testing.T) {
	for _, v := range readVectors(t).BadWelcomes {
		t.Run(v.Name, func(t *testing.T) {
			_, err := ParseWelcome(v.input())
			requireError(t, err, v.Code)
		})
	}
}

// TestWelcomeAliasesNothing changes the bytes that a welcome was read from.
func TestWelcomeAliasesNothing(t *testing.T) {
	for _, v := range readVectors(t).Welcomes {
		b := bytes.Clone(v.Bytes)
		w, err := ParseWelcome(b)
		require.NoError(t, err)
		for i := range b {
			b[i] ^= 0xff
		}
		assert.Equal(t, v.welcome(), w, v.Name)
	}
}

// TestWelcomeEveryFlag tries all 256 flags bytes on each good welcome: each changes
// what else is in the bytes, or is undefined.
func TestWelcomeEveryFlag(t *testing.T) {
	for _, v := range readVectors(t).Welcomes {
		at := 4 + 4 + 1 + len(v.Bound)
		require.Equal(t, 1, acceptedFlags(t, v.Bytes, at, requireIdenticalWelcome), v.Name)
	}
}

func TestWelcomeAppendRefuses(t *testing.T) {
	const least = MinMaxMessage
	for name, w := range map[string]Welcome{
		"max message 0":           {},
		"max message":             {MaxMessage: MaxMaxMessage + 1},
		"name":                    {MaxMessage: least, Name: "\xff"},
		"session without feature": {MaxMessage: least, Features: ^uint32(FeatureResume), Session: [IDSize]byte{1}},
		"grace without feature":   {MaxMessage: least, Grace: 1},
		"resumed without feature": {MaxMessage: least, Resumed: true},
		"record, resumed":         {MaxMessage: least, Features: FeatureResume, Resumed: true, Record: [IDSize]byte{15: 1}},
		"position, not resumed":   {MaxMessage: least, Features: FeatureResume, Position: 1},
		"proof, not resumed":      {MaxMessage: least, Features: FeatureResume, Proof: [ProofSize]byte{31: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := w.Append([]byte("before"))
			requireError(t, err, CodeProtocol)
			assert.Equal(t, "before", string(b))
		})
	}
}

func FuzzWelcome(f *testing.F) {
	v := readVectors(f)
	for _, s := range v.Welcomes {
		f.Add([]byte(s.Bytes))
	}
	for _, s := range v.BadWelcomes {
		f.Add(s.input())
	}
	f.Fuzz(func(t *testing.T, b []byte) { requireIdenticalWelcome(t, b) })
}

// requireIdenticalWelcome decodes b, and if it is accepted encodes it again.
func requireIdenticalWelcome(tb testing.TB, b []byte) (Welcome, bool) {
	tb.Helper()
	w, err := ParseWelcome(b)
	if err != nil {
		requireError(tb, err, CodeProtocol)
		return w, false
	}
	got, err := w.Append(nil)
	if err != nil || !bytes.Equal(b, got) {
		tb.Fatalf("%+v is encoded in another way: %x, %v", w, got, err)
	}
	return w, true
}
