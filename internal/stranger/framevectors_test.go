package stranger

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

type vectorFields struct {
	Name                      string
	Kind                      byte
	Pipe                      hexBytes
	Opener, Target            string
	Request, Allowance, Total uint32
	Body                      hexBytes
	Code                      int
	Text                      string
	Cost                      uint32
	Amount, Taken, Allowed    uint64 `json:",string"`
	Position, Sequence        uint64 `json:",string"`
}

var kinds = map[string]byte{
	"CHANNEL": 1, "MESSAGE": 2, "SKIP": 3, "ANNOUNCE": 4, "CREDIT": 5, "PROBE": 6, "REFUSE": 7, "ANSWER": 8,
	"ANSWER-ANNOUNCE": 9, "ANSWER-GRANT": 10, "CANCEL": 11, "GAP": 12, "OPEN": 16, "ACCEPT": 17, "DATA": 18, "END": 19,
	"RESET": 20, "STOP": 21, "WINDOW": 22, "PROGRESS": 32, "PING": 33, "PONG": 34, "CLOSE": 35,
}

func (v *vectorFields) frame(kind, flags byte, id uint32) *frame {
	f := &frame{
		kind: kind, flags: flags, id: id, name: v.Name, of: v.Kind, request: v.Request, allowance: v.Allowance,
		total: v.Total, body: v.Body, code: v.Code, text: v.Text, cost: v.Cost, taken: v.Taken,
		number: v.Amount + v.Allowed + v.Position + v.Sequence, // a frame has one of them
	}
	if v.Pipe != nil {
		f.pipe = &PipeContext{ID: [16]byte(v.Pipe), Opener: v.Opener, Target: v.Target}
	}
	return f
}

type vectorHello struct {
	Name       string
	Transient  bool
	Features   uint32
	MaxMessage uint32 `json:"max_message"`
	Wanted     string
	Bound      string
	Groups     []string
	Instance   hexBytes
	Token      *struct {
		Anew              bool
		Session           hexBytes
		Attempt, Position uint64 `json:",string"`
		Proof             hexBytes
	}
	Resumed        bool
	Record         hexBytes
	Session, Proof hexBytes
	Grace          uint32
	Position       uint64 `json:",string"`
	Bytes          hexBytes
}

type vectorBad struct {
	Name, Why string
	Code      int
	Bytes     hexBytes
	Fill      int
}

type frameFile struct {
	Frames []struct {
		Name, Type string
		Flags      byte
		ID         uint32
		Fields     vectorFields
		Bytes      hexBytes
	}
	BadFrames []vectorBad `json:"bad_frames"`
	Cuts      []struct {
		Name, Type         string
		ID                 uint32
		Encoding           byte
		Body               int
		Request, Allowance uint32
		Frames             []struct {
			Head hexBytes
			Body int
		}
	}
	GroupHeads []struct {
		Name, Sender, Group string
		Key, Body, Bytes    hexBytes
	} `json:"group_heads"`
	BadGroupHeads []vectorBad `json:"bad_group_heads"`

	Hellos      []vectorHello
	Welcomes    []vectorHello
	BadHellos   []vectorBad `json:"bad_hellos"`
	BadWelcomes []vectorBad `json:"bad_welcomes"`
}

func TestFrameVectors(t *testing.T) {
	var file frameFile
	load(t, "frames.json", &file)
	require.NotEmpty(t, file.Frames)
	for _, v := range file.Frames {
		f, size, err := readFrame(bytes.NewReader(v.Bytes))
		require.NoError(t, err, v.Name)
		require.Equal(t, len(v.Bytes), size)
		want := v.Fields.frame(kinds[v.Type], v.Flags, v.ID)
		require.Equal(t, v.Bytes, hexBytes(want.encode()), v.Name)
		require.Equal(t, v.Bytes, hexBytes(f.encode()), v.Name)
		if len(f.body) == 0 {
			f.body, want.body = nil, nil
		}
		require.Equal(t, want, f, v.Name)
	}
	require.NotEmpty(t, file.BadFrames)
	for _, v := range file.BadFrames {
		b := append(v.Bytes, bytes.Repeat([]byte{0x61}, v.Fill)...)
		_, _, err := readFrame(bytes.NewReader(b))
		var bad *Error
		require.ErrorAs(t, err, &bad, "%s: %s", v.Name, v.Why)
	}
	require.NotEmpty(t, file.Cuts)
	for _, v := range file.Cuts {
		body := make([]byte, v.Body)
		for i := range body {
			body[i] = byte(i % 251)
		}
		template := frame{kind: kinds[v.Type], id: v.ID, flags: v.Encoding << 4, request: v.Request, allowance: v.Allowance}
		if v.Request > 0 {
			template.flags |= flagRequest
		}
		frames := cut(template, body)
		require.Len(t, frames, len(v.Frames), v.Name)
		var a assembly
		for i, f := range frames {
			n := v.Frames[i].Body
			want := append(bytes.Clone(v.Frames[i].Head), body[len(a.body):len(a.body)+n]...)
			require.Equal(t, want, f.encode(), v.Name)
			whole, err := a.add(f)
			require.NoError(t, err)
			require.Equal(t, i == len(frames)-1, whole)
		}
		require.True(t, bytes.Equal(body, a.body))
	}
}

func TestGroupHeadVectors(t *testing.T) {
	var file frameFile
	load(t, "frames.json", &file)
	require.NotEmpty(t, file.GroupHeads)
	for _, v := range file.GroupHeads {
		h, rest, err := parseGroupHead(v.Bytes)
		require.NoError(t, err, v.Name)
		require.Equal(t, &GroupHead{Sender: v.Sender, Key: v.Key, Group: v.Group}, h, v.Name)
		require.Equal(t, []byte(v.Body), rest, v.Name)
	}
	require.NotEmpty(t, file.BadGroupHeads)
	for _, v := range file.BadGroupHeads {
		_, _, err := parseGroupHead(v.Bytes)
		require.Error(t, err, "%s: %s", v.Name, v.Why)
	}
}

func TestHelloVectors(t *testing.T) {
	var file frameFile
	load(t, "frames.json", &file)
	for _, v := range file.Hellos {
		h, bad := decodeHello(v.Bytes)
		require.Nil(t, bad, v.Name)
		require.Equal(t, v.Bytes, hexBytes(h.encode()), v.Name)
		want := &Hello{
			Transient: v.Transient, Features: v.Features, MaxMessage: v.MaxMessage, Wanted: v.Wanted,
			Instance: [16]byte(v.Instance),
		}
		if len(v.Groups) > 0 {
			want.Groups = v.Groups
		}
		if v.Token != nil {
			want.Token = &Token{v.Token.Anew, [16]byte(v.Token.Session), v.Token.Attempt, v.Token.Position, [32]byte(v.Token.Proof)}
		}
		require.Equal(t, want, h, v.Name)
	}
	for _, v := range file.Welcomes {
		w, err := decodeWelcome(v.Bytes)
		require.NoError(t, err, v.Name)
		want := &Welcome{
			Features: v.Features, MaxMessage: v.MaxMessage, Bound: v.Bound,
			Resumed: v.Resumed, Record: [16]byte(v.Record), Grace: v.Grace, Position: v.Position,
		}
		copy(want.Session[:], v.Session)
		copy(want.Proof[:], v.Proof)
		require.Equal(t, want, w, v.Name)
		require.Equal(t, v.Bytes, hexBytes(w.encode()))
	}
	for _, v := range file.BadHellos {
		_, bad := decodeHello(v.Bytes)
		require.NotNil(t, bad, v.Name)
		require.Equal(t, v.Code, bad.Code, v.Name)
	}
	for _, v := range file.BadWelcomes {
		_, err := decodeWelcome(v.Bytes)
		require.Error(t, err, v.Name)
	}
	require.NotEmpty(t, file.BadWelcomes)
}
