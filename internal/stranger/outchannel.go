package stranger

// An outChannel is a channel of this direction: sections 8 and 9 for the sender.
type outChannel struct {
	number  uint32
	busy    bool // one message at a time
	sent    uint64
	taken   uint64
	allowed uint64
	refused *Error
}

// fault is why nothing can be sent on c.
func (l *Link) fault(c *outChannel) error {
	if l.err == nil && c.refused != nil {
		return c.refused
	}
	return l.err
}

// acquire opens the channel if it is new and waits until it is free.
func (l *Link) acquire(kind byte, name string) (*outChannel, error) {
	if err := checkChannel(name); err != nil {
		return nil, err
	}
	c := l.out[book(kind, name)]
	if c == nil {
		if len(l.out) >= mostChannels-mostGroups {
			return nil, &Error{Code: codeLimit, Text: "too many channels"}
		}
		c = &outChannel{number: uint32(len(l.out) + 1), allowed: initialCredit}
		l.out[book(kind, name)] = c
		l.outByNumber = append(l.outByNumber, c)
		l.enqueue(&frame{kind: frameChannel, id: c.number, of: kind, name: name,
			number: l.cfg.History.first(book(kind, name))})
	}
	for c.busy && l.fault(c) == nil {
		l.cond.Wait()
	}
	if err := l.fault(c); err != nil {
		return nil, err
	}
	c.busy = true
	return c, nil
}

func (l *Link) release(c *outChannel) {
	c.busy = false
	l.cond.Broadcast()
}

// waitCredit asks for credit in the way that the cost wants and waits for it.
func (l *Link) waitCredit(c *outChannel, cost uint64) error {
	if c.sent+cost > c.allowed {
		if cost > initialCredit {
			l.enqueue(&frame{kind: frameAnnounce, id: c.number, cost: uint32(cost)})
		} else {
			l.enqueue(&frame{kind: frameProbe, id: c.number, number: c.sent})
		}
	}
	for c.sent+cost > c.allowed && l.fault(c) == nil {
		l.cond.Wait()
	}
	return l.fault(c)
}

// Send sends a message and returns when all of it is in the queue.
func (l *Link) Send(channel string, encoding byte, body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.send(channel, frame{flags: encoding << 4}, body, func() {})
}

// send calls begun with the first frame. The template's of is the channel's kind.
func (l *Link) send(channel string, template frame, body []byte, begun func()) error {
	cost := uint64(messageCost + len(body))
	if cost > uint64(l.peerMax) {
		return &Error{Code: codeTooLarge, Text: "larger than the other side accepts"}
	}
	c, err := l.acquire(template.of, channel)
	if err != nil {
		return err
	}
	defer l.release(c)
	if err := l.waitCredit(c, cost); err != nil {
		return err
	}
	template.kind, template.id = frameMessage, c.number
	for i, f := range cut(template, body) {
		if err := l.waitRoom(); err != nil {
			return err
		}
		if c.refused != nil {
			return c.refused // a message may stop in the middle
		}
		if i == 0 {
			c.sent += cost
			begun()
			if !template.has(flagRequest) {
				l.cfg.History.sent(channel)
			}
		}
		l.enqueue(f)
	}
	return nil
}

// Flush waits until the other side has taken all that was sent on the channel.
func (l *Link) Flush(channel string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.out[channel]
	if c == nil {
		return nil
	}
	target := c.sent
	if c.taken < target {
		l.enqueue(&frame{kind: frameProbe, id: c.number, number: target})
	}
	for c.taken < target && l.fault(c) == nil {
		l.cond.Wait()
	}
	if c.taken >= target {
		return nil
	}
	return l.fault(c)
}

// AnnounceAndSkip asks for the credit of a message of the given cost, and gives
// it back unused, as a sender does that gave the message up.
func (l *Link) AnnounceAndSkip(channel string, cost uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, err := l.acquire(kindApplication, channel)
	if err != nil {
		return err
	}
	defer l.release(c)
	if err := l.waitCredit(c, cost); err != nil {
		return err
	}
	c.sent += cost
	l.enqueue(&frame{kind: frameSkip, id: c.number, number: cost})
	return nil
}

// handleOut takes CREDIT and REFUSE.
func (l *Link) handleOut(f *frame) error {
	if int(f.id) > len(l.outByNumber) {
		return protocolError("a channel that was never opened")
	}
	c := l.outByNumber[f.id-1]
	if f.kind == frameRefuse {
		if c.refused != nil {
			return protocolError("a channel refused twice")
		}
		c.refused = &Error{Code: f.code, Text: f.text, Remote: true}
		return nil
	}
	if f.taken < c.taken || f.number < c.allowed || f.taken > c.sent {
		return protocolError("bad totals in CREDIT")
	}
	c.taken, c.allowed = f.taken, f.number
	return nil
}
