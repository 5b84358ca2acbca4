package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vectors is testdata/vectors/frames.json; frames.md beside it says what the fields are.
type vectors struct {
	Frames        []frameVector     `json:"frames"`
	BadFrames     []badVector       `json:"bad_frames"`
	Cuts          []cutVector       `json:"cuts"`
	GroupHeads    []groupHeadVector `json:"group_heads"`
	BadGroupHeads []badVector       `json:"bad_group_heads"`
	Hellos        []helloVector     `json:"hellos"`
	BadHellos     []badVector       `json:"bad_hellos"`
	Welcomes      []welcomeVector   `json:"welcomes"`
	BadWelcomes   []badVector       `json:"bad_welcomes"`
}

type frameVector struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Flags  Flags    `json:"flags"`
	ID     uint32   `json:"id"`
	Fields fields   `json:"fields"`
	Bytes  hexBytes `json:"bytes"`
}

type badVector struct {
	Name  string   `json:"name"`
	Why   string   `json:"why"`
	Code  uint16   `json:"code"`
	Bytes hexBytes `json:"bytes"`
	Fill  int      `json:"fill"`
}

func (v badVector) input() []byte {
	return append(bytes.Clone(v.Bytes), bytes.Repeat([]byte{0x61}, v.Fill)...)
}

type cutVector struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	ID        uint32 `json:"id"`
	Encoding  uint8  `json:"encoding"`
	Body      int    `json:"body"`
	Request   uint32 `json:"request"`
	Allowance uint32 `json:"allowance"`
	Frames    []struct {
		Head hexBytes `json:"head"`
		Body int      `json:"body"`
	} `json:"frames"`
}

type groupHeadVector struct {
	Name   string   `json:"name"`
	Sender string   `json:"sender"`
	Key    hexBytes `json:"key"`
	Group  string   `json:"group"`
	Body   hexBytes `json:"body"`
	Bytes  hexBytes `json:"bytes"`
}

type helloVector struct {
	Name       string   `json:"name"`
	Transient  bool     `json:"transient"`
	Features   uint32   `json:"features"`
	MaxMessage uint32   `json:"max_message"`
	Wanted     string   `json:"wanted"`
	Groups     []string `json:"groups"`
	Instance   hexBytes `json:"instance"`
	Token      *struct {
		Anew     bool     `json:"anew"`
		Session  hexBytes `json:"session"`
		Attempt  uint64   `json:"attempt,string"`
		Position uint64   `json:"position,string"`
		Proof    hexBytes `json:"proof"`
	} `json:"token"`
	Bytes hexBytes `json:"bytes"`
}

type welcomeVector struct {
	Name       string   `json:"name"`
	Features   uint32   `json:"features"`
	MaxMessage uint32   `json:"max_message"`
	Bound      string   `json:"bound"`
	Resumed    bool     `json:"resumed"`
	Record     hexBytes `json:"record"`
	Session    hexBytes `json:"session"`
	Grace      uint32   `json:"grace"`
	Position   uint64   `json:"position,string"`
	Proof      hexBytes `json:"proof"`
	Bytes      hexBytes `json:"bytes"`
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// readVectors refuses unknown fields and an empty list, which would check nothing.
func readVectors(tb testing.TB) vectors {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", "frames.json"))
	require.NoError(tb, err)
	var v vectors
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	require.NoError(tb, d.Decode(&v))
	for _, n := range []int{len(v.Frames), len(v.BadFrames), len(v.Cuts), len(v.GroupHeads), len(v.BadGroupHeads), len(v.Hellos),
		len(v.BadHellos), len(v.Welcomes), len(v.BadWelcomes)} {
		require.NotZero(tb, n, "an empty list of vectors")
	}
	return v
}

// frame is the good frame of that name.
func (v vectors) frame(tb testing.TB, name string) []byte {
	tb.Helper()
	for _, f := range v.Frames {
		if f.Name == name {
			return f.Bytes
		}
	}
	tb.Fatalf("no vector %q", name)
	return nil
}

func typeOf(tb testing.TB, name string) Type {
	tb.Helper()
	for t := range rules {
		if rules[t].name == name {
			return Type(t)
		}
	}
	tb.Fatalf("no type %q", name)
	return 0
}
