package stranger

import "unicode/utf8"

// parse reads the payload into the fields and tells whether the frame keeps
// the rules that need no state.
func (f *frame) parse(payload []byte) bool {
	c := &cursor{rest: payload}
	return f.checkFlags() && f.checkID() && f.parsePayload(c) && c.done()
}

func (f *frame) checkFlags() bool {
	allowed := byte(0)
	switch f.kind {
	case frameMessage:
		allowed = flagFirst | flagLast | flagRequest | flagEncoding
	case frameAnswer:
		allowed = flagFirst | flagLast | flagError | flagEncoding
	case frameOpen:
		allowed = flagPipe
	}
	if f.flags&^allowed != 0 {
		return false
	}
	if f.kind == frameOpen {
		return true
	}
	switch {
	case f.flags&flagEncoding == flagEncoding:
		return false
	case !f.has(flagFirst) && f.flags&(flagRequest|flagError|flagEncoding) != 0:
		return false
	case f.has(flagError):
		return f.flags == flagFirst|flagLast|flagError
	}
	return true
}

func (f *frame) checkID() bool {
	switch f.kind {
	case framePing, framePong:
		return true
	case frameProgress, frameClose:
		return f.id == 0
	case frameChannel, frameMessage, frameSkip, frameAnnounce, frameCredit, frameProbe, frameRefuse, frameGap:
		return 1 <= f.id && f.id <= mostChannels
	}
	return f.id != 0
}

func (f *frame) parsePayload(c *cursor) bool {
	all := func() []byte { return c.take(len(c.rest)) }
	switch f.kind {
	case frameChannel:
		f.number, f.of = c.u64(), byte(c.u8())
		f.name = string(all())
		return f.number < 1<<63 && f.of <= kindGroup && (f.of != kindGroup || f.number == 0) &&
			checkChannel(f.name) == nil
	case frameOpen:
		if !f.has(flagPipe) {
			f.name = string(all())
			return checkChannel(f.name) == nil
		}
		f.pipe = &PipeContext{ID: [16]byte(c.take(16)), Opener: string(c.take(c.u8())), Target: string(c.take(c.u8()))}
		return checkName(f.pipe.Opener) == nil && checkName(f.pipe.Target) == nil
	case frameMessage, frameAnswer:
		return f.parseBody(c)
	case frameData:
		f.body = all()
		return len(f.body) > 0
	case frameSkip, frameGap:
		f.number = c.u64()
		return f.number > 0
	case frameProbe, frameWindow, frameProgress:
		f.number = c.u64()
	case frameCredit:
		f.taken, f.number = c.u64(), c.u64()
		return f.number >= f.taken && f.number-f.taken >= initialCredit
	case frameAnnounce, frameAnswerAnnounce:
		f.cost = c.u32()
		return f.cost > initialCredit && f.cost <= mostMaxMessage
	case frameRefuse, frameReset, frameStop, frameClose:
		return f.parseCode(c)
	case frameAnswerGrant, frameCancel, frameAccept, frameEnd, framePing, framePong:
	default:
		return false
	}
	return true
}

func (f *frame) parseCode(c *cursor) bool {
	f.code = c.u16()
	f.text = string(c.take(len(c.rest)))
	return len(f.text) <= 255 && utf8.ValidString(f.text)
}

// parseBody is MESSAGE and ANSWER. There is one way to cut, so most of it can
// be checked in each frame alone.
func (f *frame) parseBody(c *cursor) bool {
	if f.has(flagError) {
		return f.parseCode(c)
	}
	size := len(c.rest)
	first, last := f.has(flagFirst), f.has(flagLast)
	if first && !last {
		f.total = c.u32()
	}
	room := mostPayload
	if f.has(flagRequest) {
		f.request, f.allowance = c.u32(), c.u32()
		room -= 8
		if f.request == 0 || f.allowance < leastMaxMessage || f.allowance > mostMaxMessage {
			return false
		}
	}
	f.body = c.take(len(c.rest))
	switch {
	case first && last:
		f.total = uint32(len(f.body))
	case first:
		return size == mostPayload && f.total > uint32(room) && f.total <= mostMaxMessage-messageCost
	case last:
		return size >= 1
	default:
		return size == mostPayload
	}
	return true
}
