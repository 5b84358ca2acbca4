package stranger

import (
	"encoding/binary"
	"io"
)

const (
	frameChannel        = 0x01
	frameMessage        = 0x02
	frameSkip           = 0x03
	frameAnnounce       = 0x04
	frameCredit         = 0x05
	frameProbe          = 0x06
	frameRefuse         = 0x07
	frameAnswer         = 0x08
	frameAnswerAnnounce = 0x09
	frameAnswerGrant    = 0x0a
	frameCancel         = 0x0b
	frameGap            = 0x0c
	frameOpen           = 0x10
	frameAccept         = 0x11
	frameData           = 0x12
	frameEnd            = 0x13
	frameReset          = 0x14
	frameStop           = 0x15
	frameWindow         = 0x16
	frameProgress       = 0x20
	framePing           = 0x21
	framePong           = 0x22
	frameClose          = 0x23

	kindApplication = 0
	kindService     = 1
	kindGroup       = 2

	flagFirst    = 0x01
	flagLast     = 0x02
	flagRequest  = 0x04
	flagError    = 0x08
	flagEncoding = 0x30
	flagPipe     = 0x01

	mostPayload   = 16_000
	mostChannels  = 1024 // of one direction
	mostGroups    = 64   // of them, of kind group
	initialCredit = 65_536
	messageCost   = 32
)

// A frame is section 7's, with the fields of every type side by side. Which of
// them count depends on type and flags.
type frame struct {
	kind, flags byte
	id          uint32

	name               string       // CHANNEL, OPEN
	of                 byte         // CHANNEL: the channel's kind
	pipe               *PipeContext // OPEN with PIPE
	request, allowance uint32       // MESSAGE with REQUEST
	total              uint32       // first of MESSAGE and ANSWER: length of the whole body
	body               []byte       // MESSAGE, ANSWER, DATA
	code               int          // REFUSE, RESET, STOP, CLOSE, ANSWER with ERROR
	text               string
	cost               uint32 // ANNOUNCE, ANSWER-ANNOUNCE
	taken              uint64 // CREDIT
	number             uint64 // CHANNEL: sequence; CREDIT: allowed; SKIP: amount; GAP: count; PROBE, WINDOW, PROGRESS: total
}

func (f *frame) has(flag byte) bool { return f.flags&flag != 0 }

// readFrame reads a frame and checks all that can be checked without the state
// of a link. size is how many bytes it took.
func readFrame(r io.Reader) (f *frame, size int, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, err
	}
	n := int(binary.BigEndian.Uint16(head[2:]))
	f = &frame{kind: head[0], flags: head[1], id: binary.BigEndian.Uint32(head[4:])}
	if n > mostPayload {
		return nil, 0, protocolError("payload too long")
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, 0, err
	}
	if !f.parse(payload) {
		return nil, 0, protocolError("bad frame")
	}
	return f, 8 + n, nil
}

// encode makes the bytes of a frame.
func (f *frame) encode() []byte {
	p := f.payload()
	b := binary.BigEndian.AppendUint16([]byte{f.kind, f.flags}, uint16(len(p)))
	b = binary.BigEndian.AppendUint32(b, f.id)
	return append(b, p...)
}

func (f *frame) payload() []byte {
	u32, u64 := binary.BigEndian.AppendUint32, binary.BigEndian.AppendUint64
	switch f.kind {
	case frameChannel:
		return append(append(u64(nil, f.number), f.of), f.name...)
	case frameOpen:
		if f.pipe == nil {
			return []byte(f.name)
		}
		b := append(f.pipe.ID[:], byte(len(f.pipe.Opener)))
		b = append(append(b, f.pipe.Opener...), byte(len(f.pipe.Target)))
		return append(b, f.pipe.Target...)
	case frameMessage, frameAnswer:
		if f.has(flagError) {
			return codeAndText(f.code, f.text)
		}
		var b []byte
		if f.has(flagFirst) && !f.has(flagLast) {
			b = u32(b, f.total)
		}
		if f.has(flagRequest) && f.kind == frameMessage {
			b = u32(u32(b, f.request), f.allowance)
		}
		return append(b, f.body...)
	case frameData:
		return f.body
	case frameSkip, frameGap, frameProbe, frameWindow, frameProgress:
		return u64(nil, f.number)
	case frameCredit:
		return u64(u64(nil, f.taken), f.number)
	case frameAnnounce, frameAnswerAnnounce:
		return u32(nil, f.cost)
	case frameRefuse, frameReset, frameStop, frameClose:
		return codeAndText(f.code, f.text)
	}
	return nil
}

func codeAndText(code int, text string) []byte {
	return append([]byte{byte(code >> 8), byte(code)}, text...)
}
