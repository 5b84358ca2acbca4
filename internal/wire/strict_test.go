package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// requirePanic wants an *Error as the value of the panic.
func requirePanic(tb testing.TB, f func()) {
	tb.Helper()
	defer func() {
		tb.Helper()
		err, ok := recover().(error)
		if !ok {
			tb.Fatal("no panic with an error")
		}
		requireError(tb, err, CodeProtocol)
	}()
	f()
}

// TestEncodersRefuse asks for what no decoder takes.
func TestEncodersRefuse(t *testing.T) {
	request := MessageStart{Request: 1, Allowance: MinAllowance}
	for name, f := range map[string]func(){
		"unknown type":           func() { Header{Type: 0x7f}.Append(nil) },
		"long payload":           func() { Header{Type: TypeData, Len: MaxPayload + 1, ID: 1}.Append(nil) },
		"negative length":        func() { Header{Type: TypeData, Len: -1, ID: 1}.Append(nil) },
		"no channel number":      func() { AppendChannel(nil, 0, 0, KindApplication, "a") },
		"high channel number":    func() { AppendChannel(nil, MaxChannels+1, 0, KindApplication, "a") },
		"empty channel name":     func() { AppendChannel(nil, 1, 0, KindApplication, "") },
		"long channel name":      func() { AppendChannel(nil, 1, 0, KindApplication, strings.Repeat("n", MaxChannelName+1)) },
		"channel name not UTF-8": func() { AppendChannel(nil, 1, 0, KindApplication, "\xff") },
		"high sequence":          func() { AppendChannel(nil, 1, MaxSequence+1, KindApplication, "a") },
		"group that goes on":     func() { AppendChannel(nil, 1, 1, KindGroup, "a") },
		"kind 3":                 func() { AppendChannel(nil, 1, 0, Kinds, "a") },
		"gap 0":                  func() { AppendGap(nil, 1, 0) },
		"empty sender":           func() { (&GroupHead{Group: "g"}).Append(nil) },
		"long sender":            func() { (&GroupHead{Name: strings.Repeat("n", MaxName+1), Group: "g"}).Append(nil) },
		"empty group":            func() { (&GroupHead{Name: "a"}).Append(nil) },
		"group not UTF-8":        func() { (&GroupHead{Name: "a", Group: "\xff"}).Append(nil) },
		"empty stream name":      func() { AppendOpenStream(nil, 1, "") },
		"empty pipe name":        func() { (&PipeOpen{Opener: "a"}).Append(nil, 1) },
		"long pipe name":         func() { (&PipeOpen{Opener: strings.Repeat("n", MaxName+1), Target: "b"}).Append(nil, 1) },
		"skip 0":                 func() { AppendSkip(nil, 1, 0) },
		"small announce":         func() { AppendAnnounce(nil, 1, InitialCredit) },
		"large answer announce":  func() { AppendAnswerAnnounce(nil, 1, MaxMaxMessage+1) },
		"small window":           func() { Credit{1, InitialCredit}.Append(nil, 1) },
		"taken over allowed":     func() { Credit{2, 1}.Append(nil, 1) },
		"data 0":                 func() { AppendData(nil, 1, nil) },
		"long data":              func() { AppendData(nil, 1, make([]byte, MaxPayload+1)) },
		"reason in DATA":         func() { AppendReason(nil, TypeData, 1, Reason{}) },
		"CLOSE with id":          func() { AppendReason(nil, TypeClose, 1, Reason{}) },
		"error without id":       func() { ErrorBody{}.Append(nil, 0) },
		"empty MESSAGE":          func() { AppendEmpty(nil, TypeMessage, 1) },
		"request id 0":           func() { CutMessage(1, FlagRequest, MessageStart{Allowance: MinAllowance}, nil) },
		"no allowance":           func() { CutMessage(1, FlagRequest, MessageStart{Request: 1}, nil) },
		"request without flag":   func() { CutMessage(1, 0, request, nil) },
		"encoding 3":             func() { CutMessage(1, EncodingFlags(3), MessageStart{}, nil) },
		"ERROR on a message":     func() { CutMessage(1, FlagError, MessageStart{}, nil) },
		"ERROR on a cut answer":  func() { CutAnswer(1, FlagError, []byte{0, 1}) },
		"REQUEST on an answer":   func() { CutAnswer(1, FlagRequest, nil) },
		"answer without id":      func() { CutAnswer(0, 0, nil) },
	} {
		t.Run(name, func(t *testing.T) { requirePanic(t, f) })
	}
}

// TestStartsCheckTheirHeader gives payloads that are not what the header says,
// which ParseHeader and Complete rule out in a link.
func TestStartsCheckTheirHeader(t *testing.T) {
	whole := FlagFirst | FlagLast
	for name, c := range map[string]struct {
		h       Header
		payload []byte
	}{
		"other type":     {Header{TypeData, whole, 1, 1}, []byte("a")},
		"not first":      {Header{TypeMessage, FlagLast, 1, 1}, []byte("a")},
		"error":          {Header{TypeAnswer, whole | FlagError, 2, 1}, []byte("\x00\x01")},
		"other length":   {Header{TypeMessage, whole, 2, 1}, []byte("a")},
		"request cut":    {Header{TypeMessage, whole | FlagRequest, 7, 1}, make([]byte, 7)},
		"total cut":      {Header{TypeAnswer, FlagFirst, 3, 1}, make([]byte, 3)},
		"first not full": {Header{TypeAnswer, FlagFirst, 8, 1}, []byte("\x00\x01\x00\x00aaaa")},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := ParseMessageStart(c.h, c.payload)
			requireError(t, err, CodeProtocol)
			_, _, err = ParseAnswerStart(c.h, c.payload)
			requireError(t, err, CodeProtocol)
		})
	}
}

func TestHeaderCutShort(t *testing.T) {
	for n := range HeaderSize {
		_, err := ParseHeader(make([]byte, n))
		requireError(t, err, CodeProtocol)
		got, err := Complete(make([]byte, n))
		require.NoError(t, err)
		require.Zero(t, got)
	}
	_, err := Complete(make([]byte, HeaderSize))
	requireError(t, err, CodeProtocol)
}

// TestPayloadAlone has the payloads that ParseHeader keeps from their parsers.
func TestPayloadAlone(t *testing.T) {
	for _, size := range []int{0, 1, 3, 5, 7, 9, 15, 17, 300} {
		p := make([]byte, size)
		for _, h := range []Header{
			{Type: TypeSkip}, {Type: TypeGap}, {Type: TypeProbe}, {Type: TypeWindow}, {Type: TypeProgress}, {Type: TypeCredit},
			{Type: TypeAnnounce}, {Type: TypeAnswerAnnounce}, {Type: TypeOpen, Flags: FlagPipe},
		} {
			_, err := decodePayload(h, p)
			requireError(t, err, CodeProtocol)
		}
	}
	for _, size := range []int{0, 1, channelSize - 1, channelSize, channelSize + MaxChannelName + 1} {
		_, _, _, err := ParseChannel(make([]byte, size))
		requireError(t, err, CodeProtocol)
	}
	for _, size := range []int{0, 1, MaxStreamName + 1, 1 << 16} {
		_, err := ParseOpenStream(bytes.Repeat([]byte("n"), size))
		require.Equal(t, size != 1, err != nil)
	}
	for _, size := range []int{0, 1, 2 + MaxText + 1} {
		_, err := ParseReason(TypeClose, make([]byte, size))
		requireError(t, err, CodeProtocol)
		_, err = ParseErrorBody(make([]byte, size))
		requireError(t, err, CodeProtocol)
	}
}

func TestErrorText(t *testing.T) {
	_, err := ParseHeader([]byte{0x0d, 0, 0, 0, 0, 0, 0, 0})
	assert.EqualError(t, err, "wire: type 0x0d: unknown type")
	_, err = ParseSkip(make([]byte, 8))
	assert.EqualError(t, err, "wire: SKIP: the amount is zero")
	_, err = ParseWelcome(nil)
	assert.EqualError(t, err, "wire: welcome: it is cut short")
	_, _, _, err = ParseChannel(make([]byte, channelSize-1))
	assert.EqualError(t, err, "wire: CHANNEL: it is cut short")
}

func TestTypeNames(t *testing.T) {
	for typ := range 256 {
		_, err := ParseHeader([]byte{byte(typ), 3, 0, 2, 0, 0, 0, 1})
		unknown := err != nil && strings.HasSuffix(err.Error(), ": unknown type")
		assert.Equal(t, unknown, strings.HasPrefix(Type(typ).String(), "type 0x"), "%v", Type(typ))
	}
	assert.Equal(t, "ANSWER-ANNOUNCE", TypeAnswerAnnounce.String())
	assert.Equal(t, "type 0xff", Type(255).String())
}

func TestEncodingFlags(t *testing.T) {
	for e := range uint8(4) {
		assert.Equal(t, e, EncodingFlags(e).Encoding())
		assert.Equal(t, Flags(e)<<4, EncodingFlags(e))
		assert.Equal(t, e, (EncodingFlags(e) | ^encodingMask).Encoding(), "other flags count")
	}
	assert.Equal(t, EncodingFlags(1), EncodingFlags(0xf1))
}
