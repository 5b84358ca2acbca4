package wire

import "encoding/binary"

// Cutter gives the frames of one message or answer, one at a time, without
// copying the body (docs/protocol.md, section 8). Make one with CutMessage or
// CutAnswer; the zero Cutter has no frames. It is not safe for concurrent use.
type Cutter struct {
	start MessageStart
	rest  []byte
	id    uint32
	typ   Type
	// flags of the next frame, without FlagLast.
	flags Flags
	more  bool
}

// CutMessage cuts a message for channel id. Of flags, FlagRequest and the
// encoding count; of start, Request and Allowance do, and Total is len(body).
// The Cutter keeps body, which must not change until it is done. It panics with
// an *Error if a value is out of range, so that Next cannot.
func CutMessage(id uint32, flags Flags, start MessageStart, body []byte) Cutter {
	return cut(TypeMessage, id, flags, start, body)
}

// CutAnswer cuts an answer to request id, as CutMessage does. Of flags, the
// encoding counts.
func CutAnswer(id uint32, flags Flags, body []byte) Cutter {
	return cut(TypeAnswer, id, flags, MessageStart{}, body)
}

func cut(t Type, id uint32, flags Flags, start MessageStart, body []byte) Cutter {
	what := checkBody(len(body))
	start.Total = uint32(len(body))
	c := Cutter{start: start, rest: body, id: id, typ: t, flags: flags&^FlagLast | FlagFirst, more: true}
	h, _ := c.next()
	if what == "" {
		what = h.check()
	}
	if what == "" {
		what = start.check(h.Flags)
	}
	if what == "" && h.Flags.Has(FlagError) {
		what = "an error answer is ErrorBody's to write"
	}
	if what != "" {
		panic(bad(t, what))
	}
	return c
}

// checkBody comes before the length is made a uint32.
func checkBody(n int) string {
	if n > MaxBody {
		return bodyTooLong
	}
	return ""
}

// Size is the size in bytes of the frame that Next gives next, header and all,
// or 0 if there is none.
func (c *Cutter) Size() int {
	if !c.more {
		return 0
	}
	h, _ := c.next()
	return HeaderSize + h.Len
}

// Next appends what goes before the body in the next frame, at most MaxHead
// bytes, to prefix and returns it as head; body goes right after it and aliases
// the body that the Cutter was made with. ok is false when there are no more
// frames.
func (c *Cutter) Next(prefix []byte) (head, body []byte, ok bool) {
	if !c.more {
		return prefix, nil, false
	}
	h, n := c.next()
	head = h.Append(prefix)
	if h.Flags.Has(FlagFirst) && !h.Flags.Has(FlagLast) {
		head = binary.BigEndian.AppendUint32(head, c.start.Total)
	}
	if h.Flags.Has(FlagRequest) {
		head = binary.BigEndian.AppendUint32(head, c.start.Request)
		head = binary.BigEndian.AppendUint32(head, c.start.Allowance)
	}
	body, c.rest = c.rest[:n:n], c.rest[n:]
	c.flags, c.more = 0, !h.Flags.Has(FlagLast)
	return head, body, true
}

// next is the header of the next frame and how much of the body is in it.
func (c *Cutter) next() (h Header, n int) {
	h = Header{Type: c.typ, Flags: c.flags | FlagLast, ID: c.id}
	prefix := messagePrefix(h.Flags)
	n = len(c.rest)
	if prefix+n > MaxPayload {
		h.Flags &^= FlagLast
		prefix = messagePrefix(h.Flags)
		n = MaxPayload - prefix
	}
	h.Len = prefix + n
	return h, n
}

func (c *Cutter) appendAll(b []byte) []byte {
	for c.more {
		var body []byte
		b, body, _ = c.Next(b)
		b = append(b, body...)
	}
	return b
}
