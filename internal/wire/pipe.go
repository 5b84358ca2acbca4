package wire

const (
	minPipeOpen = PipeIDSize + 2*(1+1)
	maxPipeOpen = PipeIDSize + 2*(1+MaxName)
)

// PipeOpen is the payload of an OPEN frame with FlagPipe (docs/protocol.md,
// section 12).
type PipeOpen struct {
	// ID is random and the opener's choice.
	ID [PipeIDSize]byte
	// Opener is the name that the server bound to the opener, 1 to MaxName bytes.
	Opener string
	// Target is the name that the opener wants, 1 to MaxName bytes.
	Target string
}

// Append appends an OPEN frame with FlagPipe for stream id to b.
func (p *PipeOpen) Append(b []byte, id uint32) []byte {
	if what := p.check(); what != "" {
		panic(bad(TypeOpen, what))
	}
	n := PipeIDSize + 1 + len(p.Opener) + 1 + len(p.Target)
	b = Header{Type: TypeOpen, Flags: FlagPipe, Len: n, ID: id}.Append(b)
	b = append(b, p.ID[:]...)
	b = appendName(b, p.Opener)
	return appendName(b, p.Target)
}

// ParsePipeOpen reads the payload of an OPEN frame with FlagPipe.
func ParsePipeOpen(payload []byte) (PipeOpen, error) {
	var p PipeOpen
	r := reader{rest: payload}
	copy(p.ID[:], r.bytes(PipeIDSize))
	p.Opener = string(r.bytes(int(r.uint8())))
	p.Target = string(r.bytes(int(r.uint8())))
	if what := r.done(); what != "" {
		return PipeOpen{}, bad(TypeOpen, what)
	}
	if what := p.check(); what != "" {
		return PipeOpen{}, bad(TypeOpen, what)
	}
	return p, nil
}

func (p *PipeOpen) check() string {
	if what := checkName(p.Opener, MaxName); what != "" {
		return what
	}
	return checkName(p.Target, MaxName)
}

// appendName appends a name behind its length, which the caller has checked.
func appendName(b []byte, name string) []byte {
	b = append(b, byte(len(name)))
	return append(b, name...)
}
