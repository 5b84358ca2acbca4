package wire

import "fmt"

// fields is every field that a frame can have besides its header, as in the vectors.
type fields struct {
	Sequence  uint64   `json:"sequence,string"`
	Kind      Kind     `json:"kind"`
	Name      string   `json:"name"`
	Pipe      hexBytes `json:"pipe"`
	Opener    string   `json:"opener"`
	Target    string   `json:"target"`
	Request   uint32   `json:"request"`
	Allowance uint32   `json:"allowance"`
	Total     uint32   `json:"total"`
	Body      hexBytes `json:"body"`
	Code      uint16   `json:"code"`
	Text      string   `json:"text"`
	Amount    uint64   `json:"amount,string"`
	Cost      uint32   `json:"cost"`
	Taken     uint64   `json:"taken,string"`
	Allowed   uint64   `json:"allowed,string"`
	Position  uint64   `json:"position,string"`
}

// decode reads the frame that is all of b as a link would.
func decode(b []byte) (h Header, f fields, err error) {
	n, err := Complete(b)
	if err != nil {
		return h, f, err
	}
	if n == 0 || n != len(b) {
		return h, f, bad(0, "not one whole frame")
	}
	if h, err = ParseHeader(b); err != nil {
		return h, f, fmt.Errorf("Complete let it pass: %w", err)
	}
	f, err = decodePayload(h, b[HeaderSize:])
	return h, f, err
}

func decodePayload(h Header, p []byte) (f fields, err error) {
	switch h.Type {
	case TypeChannel:
		f.Sequence, f.Kind, f.Name, err = ParseChannel(p)
	case TypeMessage:
		if !h.Flags.Has(FlagFirst) {
			return fields{Body: p}, nil
		}
		var s MessageStart
		var body []byte
		s, body, err = ParseMessageStart(h, p)
		f = fields{Total: s.Total, Request: s.Request, Allowance: s.Allowance, Body: body}
	case TypeAnswer:
		switch {
		case !h.Flags.Has(FlagFirst):
			return fields{Body: p}, nil
		case h.Flags.Has(FlagError):
			var e ErrorBody
			e, err = ParseErrorBody(p)
			f = fields{Code: e.Code, Text: e.Text}
		default:
			var s AnswerStart
			var body []byte
			s, body, err = ParseAnswerStart(h, p)
			f = fields{Total: s.Total, Body: body}
		}
	case TypeSkip:
		f.Amount, err = ParseSkip(p)
	case TypeGap:
		f.Amount, err = ParseGap(p)
	case TypeAnnounce:
		f.Cost, err = ParseAnnounce(p)
	case TypeAnswerAnnounce:
		f.Cost, err = ParseAnswerAnnounce(p)
	case TypeCredit:
		var c Credit
		c, err = ParseCredit(p)
		f = fields{Taken: c.Taken, Allowed: c.Allowed}
	case TypeProbe:
		f.Position, err = ParseProbe(p)
	case TypeWindow:
		f.Position, err = ParseWindow(p)
	case TypeProgress:
		f.Position, err = ParseProgress(p)
	case TypeOpen:
		if !h.Flags.Has(FlagPipe) {
			f.Name, err = ParseOpenStream(p)
			return f, err
		}
		var o PipeOpen
		o, err = ParsePipeOpen(p)
		f = fields{Pipe: o.ID[:], Opener: o.Opener, Target: o.Target}
	case TypeData:
		f.Body = p
	case TypeRefuse, TypeReset, TypeStop, TypeClose:
		var r Reason
		r, err = ParseReason(h.Type, p)
		f = fields{Code: r.Code, Text: r.Text}
	}
	return f, err
}

// encode is the inverse of decode, from type, flags and id of h and the fields.
// The Cutter writes whole bodies, so a part of one is put behind its header here.
func encode(b []byte, h Header, f fields) []byte {
	switch h.Type {
	case TypeChannel:
		return AppendChannel(b, h.ID, f.Sequence, f.Kind, f.Name)
	case TypeMessage:
		if !h.Flags.Has(FlagFirst | FlagLast) {
			return encodePart(b, h, f)
		}
		return AppendMessage(b, h.ID, h.Flags, MessageStart{Request: f.Request, Allowance: f.Allowance}, f.Body)
	case TypeAnswer:
		switch {
		case h.Flags.Has(FlagError):
			return ErrorBody{f.Code, f.Text}.Append(b, h.ID)
		case !h.Flags.Has(FlagFirst | FlagLast):
			return encodePart(b, h, f)
		}
		return AppendAnswer(b, h.ID, h.Flags, f.Body)
	case TypeSkip:
		return AppendSkip(b, h.ID, f.Amount)
	case TypeGap:
		return AppendGap(b, h.ID, f.Amount)
	case TypeAnnounce:
		return AppendAnnounce(b, h.ID, f.Cost)
	case TypeAnswerAnnounce:
		return AppendAnswerAnnounce(b, h.ID, f.Cost)
	case TypeCredit:
		return Credit{f.Taken, f.Allowed}.Append(b, h.ID)
	case TypeProbe:
		return AppendProbe(b, h.ID, f.Position)
	case TypeWindow:
		return AppendWindow(b, h.ID, f.Position)
	case TypeProgress:
		return AppendProgress(b, f.Position)
	case TypeOpen:
		if !h.Flags.Has(FlagPipe) {
			return AppendOpenStream(b, h.ID, f.Name)
		}
		p := PipeOpen{ID: [PipeIDSize]byte(f.Pipe), Opener: f.Opener, Target: f.Target}
		return p.Append(b, h.ID)
	case TypeData:
		return AppendData(b, h.ID, f.Body)
	case TypeRefuse, TypeReset, TypeStop, TypeClose:
		return AppendReason(b, h.Type, h.ID, Reason{f.Code, f.Text})
	}
	return AppendEmpty(b, h.Type, h.ID)
}

// encodePart gives the Cutter the whole body that this is a part of, and takes
// the frame in question from what it makes.
func encodePart(b []byte, h Header, f fields) []byte {
	if h.Flags.Has(FlagFirst) {
		body := make([]byte, MaxPayload+1)
		copy(body, f.Body)
		c := cut(h.Type, h.ID, h.Flags, MessageStart{Request: f.Request, Allowance: f.Allowance}, body)
		c.start.Total = f.Total // not a whole body: a total may be 1 GiB
		head, body, _ := c.Next(b)
		return append(head, body...)
	}
	body := append(make([]byte, 2*MaxPayload-4), f.Body...) // two full frames and this
	if !h.Flags.Has(FlagLast) {
		body = append(body, 0)
	}
	c := cut(h.Type, h.ID, 0, MessageStart{}, body)
	c.Next(nil)
	c.Next(nil)
	head, body, _ := c.Next(b)
	return append(head, body...)
}
