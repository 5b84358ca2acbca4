package stranger

// An inChannel is a channel of the other direction: sections 8 and 9 for the
// receiver.
type inChannel struct {
	number   uint32
	kind     byte
	name     string
	gaps     uint64 // messages left out since the last one that is not a request
	received uint64
	taken    uint64
	allowed  uint64
	reported uint64 // taken in the last CREDIT
	skips    []skip // in the order of their coming
	probe    uint64
	probed   bool
	refused  bool
	held     bool   // its messages wait for Receive
	next     uint64 // the number of the next message that is not a request
	assembly assembly
	asked    *inRequest // of the message that is coming in
	queue    []*Message // for the handler
}

// A skip is credit given back, which counts as taken when all before it is.
type skip struct{ behind, amount uint64 }

// A Message is one that arrived.
type Message struct {
	Channel  string     // its name
	Encoding byte       // 0 to 2, section 8
	Body     []byte     // whole; the receiver's to keep
	From     *GroupHead // of a message to a group, else nil
	LeftOut  uint64     // messages that GAP told of right before this one
	link     *Link
	in       *inChannel
	request  *inRequest
	size     uint64 // of the body as it came
	number   uint64 // section 8.1, of one that is not a request
}

// IsRequest tells whether the sender waits for an answer.
func (m *Message) IsRequest() bool { return m.request != nil }

func (m *Message) cost() uint64 { return messageCost + m.size }

// handleIn takes CHANNEL, MESSAGE, SKIP, GAP, ANNOUNCE and PROBE.
func (l *Link) handleIn(f *frame) error {
	if f.kind == frameChannel {
		return l.openIn(f)
	}
	if int(f.id) > len(l.in) {
		return protocolError("a channel that was never opened")
	}
	c := l.in[f.id-1]
	if c.refused {
		if f.kind == frameMessage && f.has(flagFirst) && f.has(flagRequest) {
			return l.refuseRequest(f)
		}
		return nil
	}
	switch f.kind {
	case frameMessage:
		return l.handleMessage(c, f)
	case frameSkip:
		if f.number > c.allowed-c.received {
			return protocolError("SKIP beyond the credit")
		}
		c.skips = append(c.skips, skip{c.received, f.number})
		c.received += f.number
		l.take(c, 0)
	case frameGap:
		if c.assembly.open {
			return protocolError("GAP within a message")
		}
		c.gaps += min(f.number, ^uint64(0)-c.gaps)
	case frameAnnounce:
		if f.cost > l.cfg.MaxMessage {
			return protocolError("ANNOUNCE of a message that is too large")
		}
		c.allowed = max(c.allowed, c.received+uint64(f.cost))
		l.credit(c)
	case frameProbe:
		if f.number > c.received {
			return protocolError("PROBE beyond what was sent")
		}
		c.probe, c.probed = f.number, true
		l.take(c, 0)
	}
	return nil
}

func (l *Link) openIn(f *frame) error {
	if int(f.id) != len(l.in)+1 {
		return protocolError("CHANNEL out of order")
	}
	for _, c := range l.in {
		if c.kind == f.of && c.name == f.name {
			return protocolError("CHANNEL twice")
		}
	}
	if f.of == kindGroup && !l.groups {
		return protocolError("a group channel from somebody who is no server")
	}
	c := &inChannel{number: f.id, kind: f.of, name: f.name, allowed: initialCredit, next: f.number}
	l.in = append(l.in, c)
	if c.kind != kindGroup {
		l.cfg.History.opened(book(c.kind, c.name), f.number)
	}
	handlers := l.cfg.Handlers
	if c.kind == kindService {
		handlers = l.cfg.Services
	} else if handlers == nil {
		c.held = true
		return nil
	}
	handler := handlers[f.name]
	if handler == nil {
		c.refused = true
		l.enqueue(&frame{kind: frameRefuse, id: c.number, code: codeNoHandler})
		return nil
	}
	l.workers.Add(1)
	go l.dispatch(c, handler)
	return nil
}

func (l *Link) handleMessage(c *inChannel, f *frame) error {
	if f.has(flagFirst) && !c.assembly.open {
		cost := messageCost + uint64(f.total)
		c.received += cost
		if c.received > c.allowed || cost > uint64(l.cfg.MaxMessage) {
			return protocolError("a message without credit")
		}
		c.asked = nil
		if f.has(flagRequest) {
			if c.kind == kindGroup {
				return protocolError("a request on a group channel")
			}
			var err error
			if c.asked, err = l.newAsked(f); err != nil {
				return err
			}
		}
	}
	whole, err := c.assembly.add(f)
	if err != nil || !whole || l.err != nil {
		return err
	}
	m := &Message{
		Channel: c.name, Encoding: c.assembly.first.flags >> 4, Body: c.assembly.body,
		link: l, in: c, request: c.asked, number: c.next, size: uint64(len(c.assembly.body)),
	}
	if !m.IsRequest() {
		c.next++
		m.LeftOut, c.gaps = c.gaps, 0
	}
	if c.kind == kindGroup {
		if m.From, m.Body, err = parseGroupHead(m.Body); err != nil {
			return err
		}
	}
	if c.held {
		l.incoming = append(l.incoming, m)
	} else {
		c.queue = append(c.queue, m)
	}
	return nil
}

// take counts what was taken, and reports it when it is time.
func (l *Link) take(c *inChannel, cost uint64) {
	c.taken += cost
	for len(c.skips) > 0 && c.skips[0].behind <= c.taken {
		c.taken += c.skips[0].amount
		c.skips = c.skips[1:]
	}
	if c.probed && c.taken >= c.probe || c.taken-c.reported >= initialCredit/2 {
		l.credit(c)
	}
}

func (l *Link) credit(c *inChannel) {
	c.probed = c.probed && c.taken < c.probe
	c.allowed = max(c.allowed, c.taken+initialCredit)
	c.reported = c.taken
	l.enqueue(&frame{kind: frameCredit, id: c.number, taken: c.taken, number: c.allowed})
}

// takeMessage takes a message whose turn has come, and tells whether the
// application should see it: one that an earlier link brought is not given twice.
func (l *Link) takeMessage(m *Message) bool {
	l.take(m.in, m.cost())
	return m.IsRequest() || m.in.kind == kindGroup || l.cfg.History.take(book(m.in.kind, m.Channel), m.number)
}

// dispatch calls the handler for one message after another.
func (l *Link) dispatch(c *inChannel, handler func(*Message)) {
	defer l.workers.Done()
	for {
		l.mu.Lock()
		for len(c.queue) == 0 && l.err == nil {
			l.cond.Wait()
		}
		if l.err != nil {
			l.mu.Unlock()
			return
		}
		m := c.queue[0]
		c.queue = c.queue[1:]
		isNew := l.takeMessage(m)
		l.mu.Unlock()
		if isNew {
			handler(m)
		}
	}
}

// Receive waits for the next message of any channel; for links without Handlers.
func (l *Link) Receive() (*Message, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for len(l.incoming) == 0 && l.err == nil {
			l.cond.Wait()
		}
		if l.err != nil {
			return nil, l.err
		}
		m := l.incoming[0]
		l.incoming = l.incoming[1:]
		if l.takeMessage(m) {
			return m, nil
		}
	}
}
