package stranger

// cut gives the frames of a message (section 8) or an answer (section 10). The
// template is the first frame: kind, id, encoding, REQUEST with its fields.
func cut(template frame, body []byte) []*frame {
	room := mostPayload
	if template.has(flagRequest) {
		room -= 8
	}
	first := template
	first.flags |= flagFirst
	first.total = uint32(len(body))
	if len(body) <= room {
		first.flags |= flagLast
		first.body = body
		return []*frame{&first}
	}
	room -= 4
	first.body = body[:room]
	frames := []*frame{&first}
	for body = body[room:]; len(body) > 0; {
		n := min(len(body), mostPayload)
		frames = append(frames, &frame{kind: template.kind, id: template.id, body: body[:n]})
		body = body[n:]
	}
	frames[len(frames)-1].flags |= flagLast
	return frames
}

// An assembly puts a message or an answer together again.
type assembly struct {
	open  bool
	first *frame
	body  []byte
}

// add takes the next frame and tells whether the body is whole.
func (a *assembly) add(f *frame) (whole bool, err error) {
	if f.has(flagFirst) == a.open {
		return false, protocolError("FIRST where it does not belong, or missing")
	}
	if f.has(flagFirst) {
		*a = assembly{open: true, first: f}
	}
	a.body = append(a.body, f.body...)
	left := int64(a.first.total) - int64(len(a.body))
	if last := f.has(flagLast); left < 0 || last != (left == 0) {
		return false, protocolError("the frames do not add up to the length given")
	}
	a.open = !f.has(flagLast)
	return !a.open, nil
}
