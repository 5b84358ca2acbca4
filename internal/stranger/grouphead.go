package stranger

// A GroupHead is what the body of a message on a group channel begins with
// (section 8): what the server says of who sent it.
type GroupHead struct {
	Sender string // name, section 2
	Key    []byte // public key, 32 bytes
	Group  string // name, section 2
}

// parseGroupHead takes the head off a body.
func parseGroupHead(body []byte) (*GroupHead, []byte, error) {
	c := &cursor{rest: body}
	h := &GroupHead{Sender: string(c.take(c.u8()))}
	h.Key = c.take(32)
	h.Group = string(c.take(c.u8()))
	if c.bad || checkName(h.Sender) != nil || checkName(h.Group) != nil {
		return nil, nil, protocolError("a bad group head")
	}
	return h, c.rest, nil
}

// book is what a channel is called in a History: each kind has its own names.
func book(kind byte, name string) string {
	if kind == kindApplication {
		return name
	}
	return string(rune(kind)) + name // no name has such a character
}
