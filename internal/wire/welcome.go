package wire

import "encoding/binary"

// Welcome is what a responder says to an initiator that it lets in, behind the
// verdict's first byte (docs/protocol.md, section 6).
type Welcome struct {
	// Features that both offered, as bits: FeatureResume.
	Features uint32
	// MaxMessage is the largest message cost accepted, MinMaxMessage to MaxMaxMessage.
	MaxMessage uint32
	// Name that the server bound to the client's key, at most MaxName bytes;
	// empty in a pipe.
	Name string
	// Record is the responder's mark of what it keeps for the hello's instance. It is
	// zero if the hello has none, and with Resumed.
	Record [IDSize]byte

	// Session is the id of the session. Like the rest it needs FeatureResume.
	Session [IDSize]byte
	// Grace is how long the session outlives a connection, in seconds.
	Grace uint32
	// Resumed says that the session of the token goes on.
	Resumed bool
	// Position is how many bytes of the client's stream have arrived. Like Proof it
	// needs Resumed.
	Position uint64
	// Proof shows that the server has the session's secret.
	Proof [ProofSize]byte
}

const welcomeResumed = 0x01

// Append appends the welcome to b. Its error is an *Error, also for a field that
// is set and has no place in the bytes; b is then returned as it was.
func (w *Welcome) Append(b []byte) ([]byte, error) {
	if err := w.check(); err != nil {
		return b, err
	}
	b = binary.BigEndian.AppendUint32(b, w.Features)
	b = binary.BigEndian.AppendUint32(b, w.MaxMessage)
	b = appendName(b, w.Name)
	var flags byte
	if w.Resumed {
		flags |= welcomeResumed
	}
	b = append(b, flags)
	b = append(b, w.Record[:]...)
	if w.Features&FeatureResume != 0 {
		b = append(b, w.Session[:]...)
		b = binary.BigEndian.AppendUint32(b, w.Grace)
	}
	if w.Resumed {
		b = binary.BigEndian.AppendUint64(b, w.Position)
		b = append(b, w.Proof[:]...)
	}
	return b, nil
}

// ParseWelcome reads a welcome, of which nothing aliases b. The error is an *Error.
func ParseWelcome(b []byte) (Welcome, error) {
	r := reader{rest: b}
	w := Welcome{
		Features:   r.uint32(),
		MaxMessage: r.uint32(),
		Name:       string(r.bytes(int(r.uint8()))),
	}
	flags := r.uint8()
	w.Resumed = flags&welcomeResumed != 0
	if flags&^welcomeResumed != 0 {
		return Welcome{}, bad(0, "welcome: undefined flags are set")
	}
	copy(w.Record[:], r.bytes(IDSize))
	if w.Features&FeatureResume != 0 {
		copy(w.Session[:], r.bytes(IDSize))
		w.Grace = r.uint32()
	}
	if w.Resumed {
		w.Position = r.uint64()
		copy(w.Proof[:], r.bytes(ProofSize))
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
	if w.Features&FeatureResume == 0 && (w.Resumed || w.Grace != 0 || w.Session != [IDSize]byte{}) {
		return bad(0, "welcome: it has a session without the feature")
	}
	if !w.Resumed && (w.Position != 0 || w.Proof != [ProofSize]byte{}) {
		return bad(0, "welcome: it has a position and is not resumed")
	}
	if w.Resumed && w.Record != [IDSize]byte{} {
		return bad(0, "welcome: it is resumed and has a record")
	}
	if w.Name != "" {
		if what := checkName(w.Name, MaxName); what != "" {
			return bad(0, "welcome: "+what)
		}
	}
	return nil
}
