package wire

import "encoding/binary"

// Welcome is what a responder says to an initiator that it lets in, behind the
// verdict's first byte (docs/protocol.md, section 6).
type Welcome struct {
	// Features that both offered, as bits.
	Features uint32
	// MaxMessage is the largest message cost accepted, MinMaxMessage to MaxMaxMessage.
	MaxMessage uint32
	// Name that the server bound to the client's key, at most MaxName bytes;
	// empty in a pipe.
	Name string
}

// Append appends the welcome to b. Its error is an *Error; b is then returned as
// it was.
func (w *Welcome) Append(b []byte) ([]byte, error) {
	if err := w.check(); err != nil {
		return b, err
	}
	b = binary.BigEndian.AppendUint32(b, w.Features)
	b = binary.BigEndian.AppendUint32(b, w.MaxMessage)
	return appendName(b, w.Name), nil
}

// ParseWelcome reads a welcome. The error is an *Error.
func ParseWelcome(b []byte) (Welcome, error) {
	r := reader{rest: b}
	w := Welcome{
		Features:   r.uint32(),
		MaxMessage: r.uint32(),
		Name:       string(r.bytes(int(r.uint8()))),
	}
	if what := r.done(); what != "" {
		return Welcome{}, bad(0, "welcome: "+what)
	}
	if err := w.check(); err != nil {
		return Welcome{}, err
	}
	return w, nil
}

func (w *Welcome) check() error {
	if !validMaxMessage(w.MaxMessage) {
		return bad(0, "welcome: "+badMaxMessage)
	}
	if w.Name != "" {
		if what := checkName(w.Name, MaxName); what != "" {
			return bad(0, "welcome: "+what)
		}
	}
	return nil
}
