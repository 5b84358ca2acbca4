package link

// pullQueue holds, in the order of their arrival, the messages that Receive returns. A message is
// found by its channel as well: those of a channel are linked. Positions are counted from the
// beginning and never go back.
type pullQueue struct {
	q      []pulledMsg
	head   int
	popped uint64 // the position of q[head]
	gone   int    // how many in q, behind head, have been taken out of their turn
}

// pulledMsg is a message, or with no ch the place of one that was taken out of its turn.
type pulledMsg struct {
	inMsg
	next uint64 // the position of the channel's next message, if there is one
}

// at is what is, or was, at a position.
func (p *pullQueue) at(position uint64) *pulledMsg {
	return &p.q[p.head+int(position-p.popped)]
}

func (p *pullQueue) push(m inMsg) {
	position := p.popped + uint64(len(p.q)-p.head)
	if p.holds(m.ch) {
		p.at(m.ch.heldAt - 1).next = position
	} else {
		m.ch.firstAt = position
	}
	p.q = append(p.q, pulledMsg{inMsg: m})
	m.ch.heldAt = position + 1
}

// holds reports whether a message of the channel waits.
func (p *pullQueue) holds(ch *inChan) bool { return ch.heldAt > p.popped }

// held is the last message of the channel that waits, nil if there is none.
func (p *pullQueue) held(ch *inChan) *inMsg {
	if !p.holds(ch) {
		return nil
	}
	return &p.at(ch.heldAt - 1).inMsg
}

// pop takes the first message out.
func (p *pullQueue) pop() (inMsg, bool) {
	p.trim()
	if p.head == len(p.q) {
		p.shrink()
		return inMsg{}, false
	}
	m := p.q[p.head]
	m.ch.firstAt = m.next
	p.q[p.head] = pulledMsg{}
	p.head++
	p.popped++
	p.shrink()
	return m.inMsg, true
}

// popOf takes the first message of a channel out, of which one must wait.
func (p *pullQueue) popOf(ch *inChan) inMsg {
	position := ch.firstAt
	if position == p.popped {
		m, _ := p.pop()
		return m
	}
	e := p.at(position)
	m := *e
	*e = pulledMsg{}
	p.gone++
	ch.firstAt = m.next
	if ch.heldAt == position+1 {
		ch.heldAt = 0
	}
	p.compact()
	return m.inMsg
}

// trim lets the queue begin with a message.
func (p *pullQueue) trim() {
	for p.gone > 0 && p.head < len(p.q) && p.q[p.head].ch == nil {
		p.head++
		p.popped++
		p.gone--
	}
}

// shrink makes room where messages have left.
func (p *pullQueue) shrink() {
	switch {
	case p.head == len(p.q) && cap(p.q) > 64:
		p.q, p.head = nil, 0
	case p.head == len(p.q):
		p.q, p.head = p.q[:0], 0
	case p.head > 1024 && p.head > len(p.q)/2:
		n := copy(p.q, p.q[p.head:])
		clear(p.q[n:])
		p.q, p.head = p.q[:n], 0
	}
}

// compact closes the places of messages that were taken out of their turn, when they are more than
// those that wait: else a message that nobody wants would have the queue grow without end.
func (p *pullQueue) compact() {
	if waiting := len(p.q) - p.head - p.gone; p.gone > 64 && p.gone > waiting {
		for _, m := range p.take() {
			p.push(m)
		}
	}
}

// take empties the queue.
func (p *pullQueue) take() []inMsg {
	var all []inMsg
	if n := len(p.q) - p.head - p.gone; n > 0 {
		all = make([]inMsg, 0, n)
	}
	for _, m := range p.q[p.head:] {
		if m.ch != nil {
			all = append(all, m.inMsg)
		}
	}
	*p = pullQueue{popped: p.popped + uint64(len(p.q)-p.head)}
	return all
}
