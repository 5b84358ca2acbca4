package link

import (
	"context"
	"errors"
	"sync"

	"github.com/pysock/pysock/internal/wire"
)

// Resend sends what the books kept and what the other application is not known to have taken, with
// the numbers that it had. It is called first on a link whose books keep messages, and not twice at
// once; until it has sent what there is of a channel, other messages of that channel wait. It waits
// for credit as Send does, on each channel by itself, not for what it sends to be taken. The error
// is ctx's cause, why the link ended, or that the other side takes no such message any more; that a
// channel was refused is told to the next who sends on it.
func (l *Link) Resend(ctx context.Context) error {
	l.mu.Lock()
	var gated []*outChan
	for _, ch := range l.outByID {
		if ch.gate != nil {
			gated = append(gated, ch)
		}
	}
	l.mu.Unlock()
	errs := make([]error, len(gated))
	var wg sync.WaitGroup
	for i, ch := range gated {
		wg.Go(func() { errs[i] = l.resend(ctx, ch) }) // stops at the end of ctx or of the link
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// resend sends what there is of one channel.
func (l *Link) resend(ctx context.Context, ch *outChan) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; ; ch.again++ {
		if !l.owns {
			return l.failure()
		}
		if ch.isRefused() || ch.again == ch.book.next {
			break
		}
		m := ch.book.at(ch.again)
		if uint64(len(m.body))+wire.MessageOverhead > uint64(l.cfg.PeerMaxMessage) {
			return tooLarge(len(m.body), l.cfg.PeerMaxMessage)
		}
		err := l.transmit(ctx, ch, &outMsg{flags: m.flags, body: m.body, again: true})
		if errors.Is(err, errRefused) {
			break
		}
		if err != nil {
			return err
		}
	}
	close(ch.gate)
	ch.gate = nil
	return nil
}

// Resending reports whether Resend has not sent everything yet.
func (l *Link) Resending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range l.outByID {
		if ch.gate != nil && !ch.isRefused() {
			return true
		}
	}
	return false
}
