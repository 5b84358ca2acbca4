package wire

// GroupHead is what a message's body begins with on a channel of KindGroup: whose message it is and to which group
// (docs/protocol.md, section 8). That names are allowed and the key is one is the caller's to check.
type GroupHead struct {
	// Name is that of the sender, 1 to MaxName bytes.
	Name string
	// Key is the sender's public key.
	Key [KeySize]byte
	// Group is the group's name, 1 to MaxName bytes.
	Group string
}

// Size is how many bytes Append appends.
func (g *GroupHead) Size() int { return 1 + len(g.Name) + KeySize + 1 + len(g.Group) }

// Append appends the head to b. It panics with an *Error if ParseGroupHead would refuse it.
func (g *GroupHead) Append(b []byte) []byte {
	if what := g.check(); what != "" {
		panic(bad(TypeMessage, what))
	}
	b = appendName(b, g.Name)
	b = append(b, g.Key[:]...)
	return appendName(b, g.Group)
}

// ParseGroupHead reads the head at the start of b, a message's body or the first frame's part of
// it, which has the whole head. rest is what follows, and aliases b.
func ParseGroupHead(b []byte) (g GroupHead, rest []byte, err error) {
	r := reader{rest: b}
	g.Name = string(r.bytes(int(r.uint8())))
	copy(g.Key[:], r.bytes(KeySize))
	g.Group = string(r.bytes(int(r.uint8())))
	if r.short {
		return GroupHead{}, nil, bad(TypeMessage, "a group head is cut short")
	}
	if what := g.check(); what != "" {
		return GroupHead{}, nil, bad(TypeMessage, what)
	}
	return g, r.rest, nil
}

func (g *GroupHead) check() string {
	if what := checkName(g.Name, MaxName); what != "" {
		return what
	}
	return checkName(g.Group, MaxName)
}
