package link

import (
	"context"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// answerAllowance is the room that a request brings for its answer.
const answerAllowance = wire.MinAllowance

// maxRequests is how many of our requests may be outstanding; one more waits.
const maxRequests = 1024

// outRequest is a request of ours that has not been answered.
type outRequest struct {
	link *Link
	id   uint32

	// Guarded by link.bodies.
	part    body
	partial *channel.Message // the answer that is being put together

	// Guarded by link.mu.
	announced uint32 // cost of an answer that was announced
	granted   uint32 // cost that was taken from the pool for it
	canceled  bool   // nobody waits any more; the entry waits for the answer

	done   chan struct{} // closed when answer and err are set
	answer *channel.Message
	err    error
}

// Request sends a request and waits for its one answer. The error is an *channel.Error if the
// answer is one; when ctx ends, the other side is told, and the error is ctx's cause; when the link
// ends, the error is why.
func (l *Link) Request(ctx context.Context, name string, enc channel.Encoding, body []byte) (*channel.Message, error) {
	return l.request(ctx, wire.KindApplication, name, enc, body)
}

// RequestService is Request on a service channel, with a CBOR body: it asks the other side itself
// and not its application.
func (l *Link) RequestService(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	return l.request(ctx, wire.KindService, name, channel.CBOR, body)
}

func (l *Link) request(ctx context.Context, kind wire.Kind, name string, enc channel.Encoding,
	body []byte) (*channel.Message, error) {
	if err := checkEncoding(enc); err != nil {
		return nil, err
	}
	l.mu.Lock()
	r, err := l.newRequest(ctx)
	alone := len(l.requests) == 1
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	start := wire.MessageStart{Request: r.id, Allowance: answerAllowance}
	m := &outMsg{flags: wire.FlagRequest | wire.EncodingFlags(uint8(enc)), start: start, body: body, alone: alone}
	if err := l.send(ctx, kind, name, m); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.forgetRequest(r)
		return nil, l.ungapped(err)
	}
	if alone {
		l.writeNow()
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if l.cancelRequest(r, kind, name) {
			return nil, context.Cause(ctx)
		}
		<-r.done
	}
	if r.err != nil {
		return nil, r.err
	}
	r.answer.Channel, r.answer.From = name, l.peer.Load()
	return r.answer, nil
}

// newRequest waits for a place among the outstanding requests and takes it. Call it with mu held.
func (l *Link) newRequest(ctx context.Context) (*outRequest, error) {
	for {
		if l.state != stateOpen {
			return nil, l.gone()
		}
		if len(l.requests) < maxRequests {
			break
		}
		if err := l.await(ctx, l.reqFree.Wait()); err != nil {
			return nil, l.ungapped(err)
		}
	}
	for {
		l.lastReq++
		if _, taken := l.requests[l.lastReq]; !taken && l.lastReq != 0 {
			break
		}
	}
	r := &outRequest{link: l, id: l.lastReq, done: make(chan struct{})}
	l.requests[r.id] = r
	return r, nil
}

// forgetRequest takes a request out that was answered or never sent. Call it with mu held.
func (l *Link) forgetRequest(r *outRequest) {
	delete(l.requests, r.id)
	if r.granted > 0 {
		l.answerPool.Give(uint64(r.granted))
		r.granted = 0
		l.grantAnswers()
	} else if r.announced > 0 {
		l.answers = slices.DeleteFunc(l.answers, func(x *outRequest) bool { return x == r })
	}
	l.reqFree.Ring()
}

// cancelRequest tells the other side that nobody waits for the answer any more. It reports false if
// the answer is there. CANCEL goes the way of the request: ahead of it, it would be one for no
// request.
func (l *Link) cancelRequest(r *outRequest, kind wire.Kind, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-r.done:
		return false
	default:
	}
	r.canceled = true
	if l.state == stateOpen {
		var b [wire.HeaderSize]byte
		l.sched.push(&l.out[kind][name].lane, wire.AppendEmpty(b[:0], wire.TypeCancel, r.id), nil)
		l.startWriter()
	}
	return true
}

// finish ends a request with its answer or an error.
func (r *outRequest) finish(m *channel.Message, err error) {
	r.answer, r.err = m, err
	close(r.done)
}

func (l *Link) requestByFrame(h wire.Header) (*outRequest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.requests[h.ID]
	if !ok {
		return nil, violated("%v for request %d, which is not outstanding", h.Type, h.ID)
	}
	return r, nil
}

func (l *Link) onAnswer(h wire.Header, p []byte) error {
	r, err := l.requestByFrame(h)
	if err != nil {
		return err
	}
	if h.Flags.Has(wire.FlagError) {
		if r.part.open {
			return violated("an error within the answer to request %d", h.ID)
		}
		e, err := wire.ParseErrorBody(p)
		if err != nil {
			return err
		}
		l.answered(r, nil, &channel.Error{Code: channel.Code(e.Code), Text: e.Text, Remote: true})
		return nil
	}
	if h.Flags.Has(wire.FlagFirst) {
		if r.part.open {
			return violated("an answer to request %d began within another", h.ID)
		}
		start, first, err := wire.ParseAnswerStart(h, p)
		if err != nil {
			return err
		}
		l.mu.Lock()
		room := max(answerAllowance, uint64(r.granted))
		l.mu.Unlock()
		if uint64(start.Total)+wire.MessageOverhead > room {
			return violated("the answer to request %d is beyond its allowance", h.ID)
		}
		msg, b := newMessage(int(start.Total))
		r.partial = msg
		msg.Encoding = channel.Encoding(h.Flags.Encoding())
		r.part.begin(b, first, int(start.Total))
	} else {
		if !r.part.open {
			return violated("an answer to request %d goes on that has not begun", h.ID)
		}
		if err := r.part.add(p, h.Flags.Has(wire.FlagLast)); err != nil {
			return err
		}
	}
	if h.Flags.Has(wire.FlagLast) {
		m := r.partial
		m.Body = r.part.b
		r.part, r.partial = body{}, nil
		l.answered(r, m, nil)
	}
	return nil
}

// answered takes the one answer.
func (l *Link) answered(r *outRequest, m *channel.Message, err error) {
	l.mu.Lock()
	l.forgetRequest(r)
	l.mu.Unlock()
	r.finish(m, err)
}

func (l *Link) onAnswerAnnounce(h wire.Header, p []byte) error {
	cost, err := wire.ParseAnswerAnnounce(p)
	if err != nil {
		return err
	}
	if cost > l.cfg.MaxMessage {
		return violated("an answer of cost %d was announced, %d are allowed", cost, l.cfg.MaxMessage)
	}
	r, err := l.requestByFrame(h)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.announced > 0 || r.part.open {
		return violated("the answer to request %d was announced twice or late", h.ID)
	}
	r.announced = cost
	l.answers = append(l.answers, r)
	l.grantAnswers()
	return nil
}

// grantAnswers gives the pool to announced answers, first come first served. Call it with mu held.
func (l *Link) grantAnswers() {
	for len(l.answers) > 0 {
		r := l.answers[0]
		if !r.canceled {
			if !l.answerPool.Take(uint64(r.announced)) {
				return
			}
			r.granted = r.announced
			l.grants = append(l.grants, r)
			l.startWriter()
		}
		l.answers[0] = nil
		l.answers = l.answers[1:]
	}
}
