package stranger

const mostRequests = 4096

// A pending request is one of this end's that has no answer yet.
type pending struct {
	assembly  assembly
	begun     bool
	cancelled bool
	granted   bool
	answer    *Answer
}

// An Answer is what came back; Err is set if it was an ERROR answer.
type Answer struct {
	Encoding  byte   // 0 to 2, section 8
	Body      []byte // whole
	Err       *Error // of an ERROR answer, else nil
	Announced bool   // it was announced with ANSWER-ANNOUNCE
}

// An inRequest is one of the other side's that this end has not answered.
type inRequest struct {
	id        uint32
	allowance uint32
	granted   bool
	cancelled bool
}

// A Call is a request that was sent.
type Call struct {
	link *Link
	id   uint32
	p    *pending
}

// Request sends a request; Wait gives the answer.
func (l *Link) Request(channel string, encoding byte, body []byte) (*Call, error) {
	return l.ask(kindApplication, channel, encoding, body)
}

// RequestService sends a request to the other side itself (section 18), whose body is CBOR.
func (l *Link) RequestService(channel string, body []byte) (*Call, error) {
	return l.ask(kindService, channel, 2, body)
}

func (l *Link) ask(kind byte, channel string, encoding byte, body []byte) (*Call, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.requests) >= mostRequests && l.err == nil {
		l.cond.Wait()
	}
	l.lastRequest++
	id, p := l.lastRequest, &pending{}
	l.requests[id] = p
	template := frame{of: kind, flags: encoding<<4 | flagRequest, request: id, allowance: leastMaxMessage}
	if err := l.send(channel, template, body, func() { p.begun = true }); err != nil {
		if !p.begun {
			delete(l.requests, id)
		}
		return nil, err
	}
	return &Call{link: l, id: id, p: p}, nil
}

// Cancel says that the answer is no longer wanted. One comes all the same.
func (c *Call) Cancel() {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.p.answer == nil && !c.p.cancelled {
		c.p.cancelled = true
		c.link.enqueue(&frame{kind: frameCancel, id: c.id})
	}
}

// Wait waits for the answer.
func (c *Call) Wait() (*Answer, error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	for c.p.answer == nil && c.link.err == nil {
		c.link.cond.Wait()
	}
	if c.p.answer != nil {
		return c.p.answer, nil
	}
	return nil, c.link.err
}

// handleAnswer takes ANSWER and ANSWER-ANNOUNCE.
func (l *Link) handleAnswer(f *frame) error {
	p := l.requests[f.id]
	if p == nil || !p.begun {
		return protocolError("an answer to no request")
	}
	if f.kind == frameAnswerAnnounce {
		if p.granted || p.assembly.open || f.cost > l.cfg.MaxMessage {
			return protocolError("bad ANSWER-ANNOUNCE")
		}
		p.granted = true
		l.enqueue(&frame{kind: frameAnswerGrant, id: f.id})
		return nil
	}
	if f.has(flagFirst) && !p.granted && messageCost+f.total > leastMaxMessage {
		return protocolError("an answer larger than its allowance")
	}
	whole, err := p.assembly.add(f)
	if err != nil || !whole {
		return err
	}
	p.answer = &Answer{Encoding: p.assembly.first.flags >> 4, Body: p.assembly.body, Announced: p.granted}
	if f.has(flagError) {
		p.answer = &Answer{Err: &Error{Code: f.code, Text: f.text, Remote: true}}
	}
	delete(l.requests, f.id)
	return nil
}

// newAsked notes a request that comes in.
func (l *Link) newAsked(f *frame) (*inRequest, error) {
	if l.asked[f.request] != nil || len(l.asked) >= mostRequests {
		return nil, protocolError("a request id twice, or too many requests")
	}
	r := &inRequest{id: f.request, allowance: f.allowance}
	l.asked[f.request] = r
	return r, nil
}

// refuseRequest answers a request on a channel that has no handler.
func (l *Link) refuseRequest(f *frame) error {
	r, err := l.newAsked(f)
	if err != nil {
		return err
	}
	delete(l.asked, r.id)
	l.enqueue(errorAnswer(r.id, codeNoHandler, ""))
	return nil
}

func errorAnswer(id uint32, code int, text string) *frame {
	return &frame{kind: frameAnswer, flags: flagFirst | flagLast | flagError, id: id, code: code, text: text}
}

// handleAsked takes ANSWER-GRANT and CANCEL. Either may have crossed with the
// answer, so that the request is not known any more.
func (l *Link) handleAsked(f *frame) {
	r := l.asked[f.id]
	if r == nil {
		return
	}
	if f.kind == frameCancel {
		r.cancelled = true
	} else {
		r.granted = true
	}
}

// Answer answers a request; it waits for the grant if there must be one.
func (m *Message) Answer(encoding byte, body []byte) error {
	l, r := m.link, m.request
	l.mu.Lock()
	defer l.mu.Unlock()
	cost := messageCost + len(body)
	if cost > int(l.peerMax) {
		l.answerError(r, codeTooLarge, "the answer is too large")
		return nil
	}
	if cost > int(r.allowance) {
		l.enqueue(&frame{kind: frameAnswerAnnounce, id: r.id, cost: uint32(cost)})
		for !r.granted && !r.cancelled && l.err == nil {
			l.cond.Wait()
		}
		if !r.granted {
			l.answerError(r, codeCanceled, "")
			return l.err
		}
	}
	for _, f := range cut(frame{kind: frameAnswer, id: r.id, flags: encoding << 4}, body) {
		if err := l.waitRoom(); err != nil {
			return err
		}
		if f.has(flagLast) {
			delete(l.asked, r.id)
		}
		l.enqueue(f)
	}
	return nil
}

// AnswerError answers a request with an error.
func (m *Message) AnswerError(code int, text string) {
	m.link.mu.Lock()
	defer m.link.mu.Unlock()
	m.link.answerError(m.request, code, text)
}

func (l *Link) answerError(r *inRequest, code int, text string) {
	delete(l.asked, r.id)
	l.enqueue(errorAnswer(r.id, code, text))
}

// WaitCancel waits until the request is cancelled.
func (m *Message) WaitCancel() error {
	m.link.mu.Lock()
	defer m.link.mu.Unlock()
	for !m.request.cancelled && m.link.err == nil {
		m.link.cond.Wait()
	}
	return m.link.err
}
