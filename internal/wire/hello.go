package wire

import "encoding/binary"

// Hello is what an initiator says of itself with the last message of the
// handshake (docs/protocol.md, section 6).
type Hello struct {
	// Transient asks for a session that replaces none and cannot be addressed.
	Transient bool
	// Features offered, as bits: FeatureResume. Unknown ones are ignored.
	Features uint32
	// MaxMessage is the largest message cost accepted, MinMaxMessage to MaxMaxMessage.
	MaxMessage uint32
	// Name wanted, at most MaxName bytes; empty for whatever the server has for
	// the key, and in a pipe.
	Name string
	// Groups, at most MaxGroups names of 1 to MaxName bytes, strictly ascending
	// by bytes. None in a pipe.
	Groups []string
	// Instance goes on with the sequences of earlier connections (section 8.1); zero for none.
	Instance [IDSize]byte
	// Resume is the session to go on with, nil for a new one. It needs FeatureResume.
	Resume *Token
}

const helloTransient = 0x01

// Append appends the hello to b. Its error is an *Error, with CodeBadName for a
// name of a wrong length or one that is not UTF-8; b is then returned as it was.
func (h *Hello) Append(b []byte) ([]byte, error) {
	if err := h.check(); err != nil {
		return b, err
	}
	var flags byte
	if h.Transient {
		flags = helloTransient
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, h.Features)
	b = binary.BigEndian.AppendUint32(b, h.MaxMessage)
	b = appendName(b, h.Name)
	b = append(b, byte(len(h.Groups)))
	for _, g := range h.Groups {
		b = appendName(b, g)
	}
	b = append(b, h.Instance[:]...)
	if h.Resume == nil {
		return binary.BigEndian.AppendUint16(b, 0), nil
	}
	b = binary.BigEndian.AppendUint16(b, TokenSize)
	return h.Resume.append(b), nil
}

// ParseHello reads a hello, of which nothing aliases b. The error is an *Error: with
// CodeProtocol, or with CodeBadName if it is well-formed but for a name's length or UTF-8.
func ParseHello(b []byte) (Hello, error) {
	if len(b) > MaxHello {
		return Hello{}, bad(0, "hello: it is too long")
	}
	r := reader{rest: b}
	flags := r.uint8()
	h := Hello{
		Transient:  flags&helloTransient != 0,
		Features:   r.uint32(),
		MaxMessage: r.uint32(),
		Name:       string(r.bytes(int(r.uint8()))),
	}
	groups := r.uint8()
	if flags&^helloTransient != 0 {
		return Hello{}, bad(0, "hello: undefined flags are set")
	}
	if groups > MaxGroups {
		return Hello{}, bad(0, tooManyGroups)
	}
	for range groups {
		h.Groups = append(h.Groups, string(r.bytes(int(r.uint8()))))
	}
	copy(h.Instance[:], r.bytes(IDSize))
	switch r.uint16() {
	case 0:
	case TokenSize:
		var what string
		if h.Resume, what = parseToken(&r); what != "" {
			return Hello{}, bad(0, "hello: "+what)
		}
	default:
		return Hello{}, bad(0, "hello: the token's length is wrong")
	}
	if what := r.done(); what != "" {
		return Hello{}, bad(0, "hello: "+what)
	}
	if err := h.check(); err != nil {
		return Hello{}, err
	}
	return h, nil
}

const (
	tooManyGroups   = "hello: there are too many groups"
	badMaxMessage   = "the max message is out of range"
	groupsUnordered = "hello: the groups are not in ascending order"
)

func (h *Hello) check() error {
	switch {
	case !validMaxMessage(h.MaxMessage):
		return bad(0, "hello: "+badMaxMessage)
	case len(h.Groups) > MaxGroups:
		return bad(0, tooManyGroups)
	case h.Resume != nil && h.Features&FeatureResume == 0:
		return bad(0, "hello: there is a token without the feature")
	case h.Resume != nil && h.Resume.Attempt == 0:
		return bad(0, "hello: the token's attempt is 0")
	}
	for i := 1; i < len(h.Groups); i++ {
		if h.Groups[i-1] >= h.Groups[i] {
			return bad(0, groupsUnordered)
		}
	}
	if h.Name != "" {
		if what := checkName(h.Name, MaxName); what != "" {
			return &Error{What: "hello: " + what, Code: CodeBadName}
		}
	}
	for _, g := range h.Groups {
		if what := checkName(g, MaxName); what != "" {
			return &Error{What: "hello: group: " + what, Code: CodeBadName}
		}
	}
	return nil
}

func validMaxMessage(n uint32) bool { return n >= MinMaxMessage && n <= MaxMaxMessage }
