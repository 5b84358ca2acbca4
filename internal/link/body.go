package link

// body puts a body together from frames.
type body struct {
	b       []byte
	have    int
	want    int
	open    bool
	dropped bool // only the lengths are of interest
}

// begin takes the payload of the first frame. The room is b's capacity.
func (x *body) begin(b, first []byte, want int) {
	*x = body{have: len(first), want: want, open: true, dropped: b == nil}
	if !x.dropped {
		x.b = append(b, first...)
	}
}

// add appends the payload of a later frame.
func (x *body) add(p []byte, last bool) error {
	x.have += len(p)
	switch {
	case x.have > x.want:
		return violated("a body is longer than it said")
	case last != (x.have == x.want):
		return violated("a body does not end where it said")
	}
	if !x.dropped {
		x.b = append(x.b, p...)
	}
	return nil
}
