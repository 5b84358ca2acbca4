package stranger

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A Hello is the payload of message 3 (section 6).
type Hello struct {
	Transient  bool     // bit 0 of the flags
	Features   uint32   // bits that are offered
	MaxMessage uint32   // largest message cost that this end accepts, in bytes
	Wanted     string   // the name wanted, "" for whatever belongs to the key
	Groups     []string // ascending, at most 16
	Instance   [16]byte // section 8.1; zero: none
	Token      *Token   // section 17.2; nil: none
}

// A Welcome is the responder's answer (section 6).
type Welcome struct {
	Features   uint32 // bits that both offered
	MaxMessage uint32 // as in Hello
	Bound      string // the client's name, "" in a pipe
	// Record is the responder's mark of what it keeps for the hello's instance;
	// zero without an instance, and with Resumed.
	Record [16]byte

	// With featureResume: the session, and for how many seconds it outlives a connection.
	Session [16]byte // its id
	Grace   uint32   // seconds
	// Resumed says that the token was good. Then there are how many bytes of
	// the client's stream have arrived, and the server's proof.
	Resumed  bool
	Position uint64   // in bytes
	Proof    [32]byte // section 17.2
}

const (
	featureResume = 1

	flagResumed = 1
)

const (
	leastMaxMessage = 65_536
	mostMaxMessage  = 1 << 30
)

// A cursor reads fields and remembers that one was missing.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) take(n int) []byte {
	if len(c.rest) < n {
		c.bad, c.rest = true, nil
		return make([]byte, n)
	}
	part := c.rest[:n]
	c.rest = c.rest[n:]
	return part
}

func (c *cursor) u8() int     { return int(c.take(1)[0]) }
func (c *cursor) u16() int    { return int(binary.BigEndian.Uint16(c.take(2))) }
func (c *cursor) u32() uint32 { return binary.BigEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.BigEndian.Uint64(c.take(8)) }

// done tells whether all fields were there and nothing else was.
func (c *cursor) done() bool { return !c.bad && len(c.rest) == 0 }

// An Error is a refusal or an end with a code of section 14.
type Error struct {
	Code   int    // section 14
	Text   string // for people, at most 255 bytes
	Remote bool   // the other side said it
}

// Error gives code and text, the text quoted.
func (e *Error) Error() string {
	return fmt.Sprintf("stranger: code %d %q (remote: %v)", e.Code, e.Text, e.Remote)
}

func protocolError(text string) *Error { return &Error{Code: codeProtocol, Text: text} }

func (h *Hello) encode() []byte {
	flags := byte(0)
	if h.Transient {
		flags = 1
	}
	b := binary.BigEndian.AppendUint32([]byte{flags}, h.Features)
	b = binary.BigEndian.AppendUint32(b, h.MaxMessage)
	b = append(append(b, byte(len(h.Wanted))), h.Wanted...)
	b = append(b, byte(len(h.Groups)))
	for _, g := range h.Groups {
		b = append(append(b, byte(len(g))), g...)
	}
	b = append(b, h.Instance[:]...)
	if h.Token == nil {
		return append(b, 0, 0)
	}
	return append(append(b, 0, tokenSize), h.Token.encode()...)
}

// decodeHello gives the code to refuse a bad one with: the document says only
// that names are refused; the codes are those of the vectors.
func decodeHello(b []byte) (*Hello, *Error) {
	c := &cursor{rest: b}
	h := &Hello{}
	flags := c.u8()
	h.Transient = flags == 1
	h.Features, h.MaxMessage = c.u32(), c.u32()
	h.Wanted = string(c.take(c.u8()))
	badName := h.Wanted != "" && checkName(h.Wanted) != nil
	groups := c.u8()
	if c.bad || flags > 1 || h.MaxMessage < leastMaxMessage || h.MaxMessage > mostMaxMessage || groups > 16 {
		return nil, protocolError("bad hello")
	}
	unordered := false
	for i := range groups {
		g := string(c.take(c.u8()))
		badName = badName || !c.bad && checkName(g) != nil
		unordered = unordered || i > 0 && g <= h.Groups[i-1]
		h.Groups = append(h.Groups, g)
	}
	h.Instance = [16]byte(c.take(16))
	token := c.u16()
	tokenOK := token == 0
	if token == tokenSize && h.Features&featureResume != 0 {
		h.Token, tokenOK = decodeToken(c.take(tokenSize))
	}
	switch {
	case unordered || !tokenOK || !c.done():
		return nil, protocolError("bad hello")
	case badName:
		return nil, &Error{Code: codeBadName, Text: "bad name"}
	}
	return h, nil
}

func (w *Welcome) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, w.Features)
	b = binary.BigEndian.AppendUint32(b, w.MaxMessage)
	b = append(append(b, byte(len(w.Bound))), w.Bound...)
	flags := byte(0)
	if w.Resumed {
		flags |= flagResumed
	}
	b = append(append(b, flags), w.Record[:]...)
	if w.Features&featureResume != 0 {
		b = binary.BigEndian.AppendUint32(append(b, w.Session[:]...), w.Grace)
	}
	if w.Resumed {
		b = append(binary.BigEndian.AppendUint64(b, w.Position), w.Proof[:]...)
	}
	return b
}

// none is an instance or record that is not there.
var none [16]byte

// fits tells whether a welcome has what its hello asked for: features that were
// offered, and a record if there is something that it can be of.
func (w *Welcome) fits(h *Hello) bool {
	return w.Features&^h.Features == 0 && (!w.Resumed || h.Token != nil) &&
		(w.Record != none) == (h.Instance != none && !w.Resumed)
}

func decodeWelcome(b []byte) (*Welcome, error) {
	c := &cursor{rest: b}
	w := &Welcome{Features: c.u32(), MaxMessage: c.u32()}
	w.Bound = string(c.take(c.u8()))
	flags := c.u8()
	w.Resumed, w.Record = flags == flagResumed, [16]byte(c.take(16))
	resume := w.Features&featureResume != 0
	if resume {
		w.Session, w.Grace = [16]byte(c.take(16)), c.u32()
	}
	if w.Resumed {
		w.Position, w.Proof = c.u64(), [32]byte(c.take(32))
	}
	if !c.done() || flags > flagResumed || w.Resumed && (!resume || w.Record != none) ||
		w.MaxMessage < leastMaxMessage || w.MaxMessage > mostMaxMessage ||
		w.Bound != "" && checkName(w.Bound) != nil {
		return nil, errors.New("stranger: bad welcome")
	}
	return w, nil
}

// refusal is the content of a verdict that says no.
func refusal(e *Error) []byte {
	return append([]byte{1, byte(e.Code >> 8), byte(e.Code)}, e.Text...)
}
