package link

import (
	"context"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// inRequest is a request of the other side. It is answered exactly once.
type inRequest struct {
	link      *Link
	ch        *inChan
	id        uint32
	allowance uint32

	ctx    context.Context
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	handled  bool // a handler has it, and its ctx ends when the handler returns
	answered bool
	failed   bool          // the answer could not be sent
	granted  chan struct{} // made when an answer is announced, closed when it is granted
}

func (l *Link) newInRequest(ch *inChan, start wire.MessageStart) (*inRequest, error) {
	r := &inRequest{link: l, ch: ch, id: start.Request, allowance: start.Allowance}
	r.ctx, r.cancel = context.WithCancelCause(l.handlers)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, taken := l.asked[r.id]; taken {
		return nil, violated("request %d is outstanding already", r.id)
	}
	if len(l.asked)+l.sched.answers >= wire.MaxRequests {
		return nil, violated("more than %d requests are outstanding", wire.MaxRequests)
	}
	l.asked[r.id] = r
	return r, nil
}

// begin reports whether the request is still to be handled; one that was given up is answered and is not.
func (r *inRequest) begin(byHandler bool) bool {
	r.mu.Lock()
	r.handled = byHandler
	r.mu.Unlock()
	if r.ctx.Err() == nil {
		return true
	}
	_ = r.AnswerError(channel.CodeCanceled, "")
	return false
}

// claim makes the caller the one who answers.
func (r *inRequest) claim() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.answered
	r.answered = true
	return first
}

// Answer sends the one answer. One that is larger than the asker made room for waits until the asker grants it.
func (r *inRequest) Answer(ctx context.Context, enc channel.Encoding, body []byte) error {
	if err := checkEncoding(enc); err != nil {
		return err
	}
	l := r.link
	cost := uint64(len(body)) + wire.MessageOverhead
	if cost > uint64(l.cfg.PeerMaxMessage) && cost > uint64(r.allowance) {
		return tooLarge(len(body), l.cfg.PeerMaxMessage) // not claimed: the handler may answer something smaller
	}
	if !r.claim() {
		return channel.ErrAnswered
	}
	if cost > uint64(r.allowance) {
		if err := r.awaitGrant(ctx, uint32(cost)); err != nil {
			return r.fail(err)
		}
	}
	cutter := wire.CutAnswer(r.id, wire.EncodingFlags(uint8(enc)), body)
	l.mu.Lock()
	if err := l.awaitRoom(ctx, &r.ch.answers, len(body)); err != nil {
		err = l.ungapped(err)
		l.mu.Unlock()
		return r.fail(err)
	}
	if err := l.queueBody(&r.ch.answers, &cutter, len(body)); err != nil {
		err = l.ungapped(err)
		l.mu.Unlock()
		return r.fail(err)
	}
	l.sched.answers++
	l.release(r)
	alone := len(l.asked) == 0 // else more answers are to come, which one write may take along
	if !alone {
		l.startWriter()
	}
	l.mu.Unlock()
	if alone {
		l.writeNow()
	}
	return nil
}

// fail tells the asker, if it can be told, that the answer that was claimed cannot be sent.
func (r *inRequest) fail(err error) error {
	r.mu.Lock()
	r.failed = true
	r.mu.Unlock()
	r.sendError(answerOf(err))
	return err
}

// awaitGrant announces a large answer and waits until the asker has room for it.
func (r *inRequest) awaitGrant(ctx context.Context, cost uint32) error {
	l := r.link
	r.mu.Lock()
	r.granted = make(chan struct{})
	r.mu.Unlock()
	l.mu.Lock()
	if l.state != stateOpen {
		defer l.mu.Unlock()
		return l.gone()
	}
	var b [wire.HeaderSize + 4]byte
	l.sched.push(&r.ch.answers, wire.AppendAnswerAnnounce(b[:0], r.id, cost), nil)
	l.startWriter()
	l.mu.Unlock()
	select {
	case <-r.granted:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	case <-l.ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.gone()
	}
}

// AnswerError sends an error as the one answer. It does not wait: errors are small, and bounded by the requests.
func (r *inRequest) AnswerError(code channel.Code, text string) error {
	if !r.claim() {
		return channel.ErrAnswered
	}
	r.sendError(wire.ErrorBody{Code: uint16(code), Text: text})
	return nil
}

// returned answers a request that its handler has left unanswered. If err is a failure that the
// asker is not told of, unheard says what it is, for the log.
func (r *inRequest) returned(err error) (unheard string) {
	if err == nil {
		_ = r.Answer(r.ctx, channel.Raw, nil) // ErrAnswered is the usual case; a dead link has told the asker
		return ""
	}
	if r.claim() {
		r.sendError(answerOf(err))
		return ""
	}
	if r.ctx.Err() != nil || r.link.ctx.Err() != nil {
		return "" // nobody waits for the answer any more: that is no failure of the handler's
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed {
		return "pysock: a handler could not answer"
	}
	return "pysock: a handler failed after it had answered"
}

func (r *inRequest) sendError(e wire.ErrorBody) {
	l := r.link
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answerErrorNow(r, e)
}

// answerErrorNow queues an ERROR answer. Call it with mu held, by who has claimed the answer.
func (l *Link) answerErrorNow(r *inRequest, e wire.ErrorBody) {
	l.release(r)
	if l.state != stateOpen {
		return
	}
	var b [wire.MaxHead + 2 + 4*wire.MaxText]byte
	l.sched.push(&r.ch.answers, e.Append(b[:0], r.id), nil)
	l.sched.answers++
	l.startWriter()
}

// answerErrorLocked answers a request that never reached anybody. Call it with mu held.
func (l *Link) answerErrorLocked(r *inRequest, code uint16, text string) {
	if r.claim() {
		l.answerErrorNow(r, wire.ErrorBody{Code: code, Text: text})
	}
}

// release forgets a request whose answer is queued. Call it with mu held.
func (l *Link) release(r *inRequest) {
	delete(l.asked, r.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.handled {
		r.cancel(channel.ErrAnswered)
	}
}

func (l *Link) onAnswerGrant(h wire.Header) error {
	l.mu.Lock()
	r := l.asked[h.ID]
	l.mu.Unlock()
	if r == nil {
		return nil // it may have crossed with an error instead of the announced answer
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.granted == nil {
		return violated("ANSWER-GRANT for request %d, whose answer was not announced", h.ID)
	}
	select {
	case <-r.granted:
		return violated("ANSWER-GRANT for request %d came twice", h.ID)
	default:
		close(r.granted)
	}
	return nil
}

func (l *Link) onCancel(h wire.Header) error {
	l.mu.Lock()
	r := l.asked[h.ID]
	l.mu.Unlock()
	if r != nil {
		r.cancel(channel.CodeCanceled)
	}
	return nil
}
