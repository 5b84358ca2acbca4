package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// A HistoryGapError says that entries of a history are missing: they were dropped before they were
// read, or are larger than Config.MaxMessage lets a page be. Follow yields it in their place and
// goes on.
type HistoryGapError struct {
	// Name is the history's.
	Name string

	// Lost is how many entries are missing; 0 if Anew is set, because that is not known then.
	Lost uint64

	// Anew is set if the numbers began anew, as they do when the server is restarted: the next
	// entry is the oldest that there is, and numbers of earlier ones mean nothing any more.
	Anew bool
}

// Error says what is missing in one line.
func (e *HistoryGapError) Error() string {
	if e.Anew {
		return fmt.Sprintf("the history %q began anew: what is missing is not known", e.Name)
	}
	if e.Lost == 1 {
		return fmt.Sprintf("an entry of the history %q is missing", e.Name)
	}
	return fmt.Sprintf("%d entries of the history %q are missing", e.Lost, e.Name)
}

// History asks the server for what follows an entry of a history: at most max entries, of which
// 1,024 and some 256 KiB come at once; a max of 0 or less asks for as many. An after of 0 is the
// beginning. It does not wait for entries that are yet to come. The server keeps a history for a
// channel under the channel's name, and under "group/channel" for what is sent to a group.
//
// The numbers are those of HistoryPage.Epoch. Who keeps one longer than the server may live keeps
// the epoch with it, and begins with 0 again if another one comes.
//
// The error is a *keys.NameError for what is no history's name, or a *channel.Error:
// CodeUnknownPeer (the server keeps none of that name), CodeRefused (the server's policy),
// CodeBadMessage (no entry has the number after yet), CodeNoHandler. One with CodeBadMessage that
// is not Remote is of an answer that is none. It waits while there is no connection, as Request
// does. Messages are from whom the server says: From.Unverified is set.
func (c *Client) History(ctx context.Context, name string, after uint64, max int) (channel.HistoryPage, error) {
	if err := checkHistory(name); err != nil {
		return channel.HistoryPage{}, err
	}
	if max <= 0 || max > service.MaxEntries {
		max = service.MaxEntries
	}
	ctx, done := c.within(ctx)
	defer done()
	request := service.HistoryRequest{Name: name, After: after, Max: max}
	answer, err := ask[service.HistoryPage](ctx, c, service.History, request)
	if err != nil {
		return channel.HistoryPage{}, err
	}
	return pageFrom(&answer, &request)
}

// Follow gives what follows an entry of a history, and then each new one as it comes, until ctx
// ends or the loop is left:
//
//	for e, err := range c.Follow(ctx, "chat", 0) {
//		var gap *client.HistoryGapError
//		switch {
//		case errors.As(err, &gap):
//			log.Print(gap) // in the place of what is missing
//		case err != nil:
//			return err // the last
//		default:
//			log.Printf("%d %s: %q", e.Number, e.Message.From.Name, e.Message.Body)
//		}
//	}
//
// It goes on over lost connections and sessions, also with Config.FailOffline. Entries that were
// dropped before they came it tells of with a *HistoryGapError, once, in their place; so it does
// when the server has begun the history anew. Any other error is the last, with a zero entry: as of
// History, or why the client ended. When ctx ends there is none. It reads no further ahead than one
// page.
func (c *Client) Follow(ctx context.Context, name string, after uint64) iter.Seq2[channel.HistoryEntry, error] {
	return func(yield func(channel.HistoryEntry, error) bool) {
		if err := checkHistory(name); err != nil {
			yield(channel.HistoryEntry{}, err)
			return
		}
		request := service.HistoryRequest{Name: name, After: after, Wait: true}
		back := backoff{first: firstAgain, most: mostAgain}
		for {
			answer, err := insist[service.HistoryPage](ctx, c, &back, service.History, &request)
			var page channel.HistoryPage
			if err == nil {
				page, err = pageFrom(&answer, &request)
			}
			if err == nil && len(page.Entries) == 0 && page.Lost == 0 && !page.Anew {
				err = c.waitTurn(ctx, &back) // a server that does not wait
			} else {
				back.reset()
			}
			if err != nil {
				if c.conn.Context().Err() != nil || ctx.Err() == nil {
					yield(channel.HistoryEntry{}, err)
				}
				return
			}
			if !tell(ctx, &page, name, yield) {
				return
			}
			request.Epoch, request.After = answer.Epoch, page.Last
			if n := len(page.Entries); n > 0 {
				request.After = page.Entries[n-1].Number
			}
		}
	}
}

// checkHistory checks the name of a history: a channel's, or a group's and a channel's.
func checkHistory(name string) error {
	err := keys.CheckChannel(name)
	if group, of, ok := strings.Cut(name, "/"); err != nil && ok && keys.CheckName(group) == nil &&
		keys.CheckChannel(of) == nil {
		return nil
	}
	return err
}

// tell yields a page, after what is missing before it. It reports whether the loop goes on.
func tell(ctx context.Context, page *channel.HistoryPage, name string,
	yield func(channel.HistoryEntry, error) bool) bool {
	switch {
	case page.Anew:
		if !yield(channel.HistoryEntry{}, &HistoryGapError{Name: name, Anew: true}) {
			return false
		}
	case page.Lost > 0:
		if !yield(channel.HistoryEntry{}, &HistoryGapError{Name: name, Lost: page.Lost}) {
			return false
		}
	}
	for _, e := range page.Entries {
		if ctx.Err() != nil || !yield(e, nil) {
			return false
		}
	}
	return true
}

// pageFrom reads what a server has answered to a request.
func pageFrom(p *service.HistoryPage, request *service.HistoryRequest) (channel.HistoryPage, error) {
	page, err := readPage(p, request)
	if err != nil {
		return channel.HistoryPage{}, badAnswer(service.History, err)
	}
	return page, nil
}

func readPage(p *service.HistoryPage, request *service.HistoryRequest) (channel.HistoryPage, error) {
	page := channel.HistoryPage{Lost: p.Lost, Last: p.Last, Anew: p.Anew}
	if len(p.Epoch) != len(page.Epoch) {
		return page, fmt.Errorf("an epoch of %d bytes", len(p.Epoch))
	}
	page.Epoch = [16]byte(p.Epoch)
	if len(request.Epoch) > 0 && p.Anew == bytes.Equal(p.Epoch, request.Epoch) {
		return page, errors.New("it says of the epoch what is not so")
	}
	n := uint64(len(p.Entries))
	if request.Max > 0 && n > uint64(request.Max) {
		return page, fmt.Errorf("%d entries, more than %d", n, request.Max)
	}
	before := p.Last // the number before the first entry's
	switch {
	case p.Anew && n > 0:
		before = p.Entries[0].Number - 1
	case p.Anew:
	case p.Last < request.After || p.Last-request.After < p.Lost:
		return page, fmt.Errorf("%d lost after number %d, and the last is %d", p.Lost, request.After, p.Last)
	default:
		before = request.After + p.Lost
	}
	if p.Last < before || p.Last-before < n || n == 0 && p.Last != before {
		return page, fmt.Errorf("%d entries after number %d, and the last is %d", n, before, p.Last)
	}
	page.Entries = make([]channel.HistoryEntry, n)
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Number != before+1+uint64(i) {
			return page, fmt.Errorf("entry %d where %d is due", e.Number, before+1+uint64(i))
		}
		var err error
		if page.Entries[i], err = entryFrom(e); err != nil {
			return page, fmt.Errorf("entry %d: %w", e.Number, err)
		}
	}
	return page, nil
}

// entryFrom reads one message that was kept. The server itself may be its sender.
func entryFrom(e *service.Entry) (channel.HistoryEntry, error) {
	key, err := keys.NewPublicKey(e.Key)
	if err == nil {
		err = keys.CheckName(e.From)
	}
	if err == nil {
		err = keys.CheckChannel(e.Channel)
	}
	at, errTime := timeFrom(e.Time)
	switch {
	case err != nil:
		return channel.HistoryEntry{}, err
	case errTime != nil:
		return channel.HistoryEntry{}, errTime
	case e.Encoding > channel.CBOR:
		return channel.HistoryEntry{}, fmt.Errorf("encoding mark %d", uint8(e.Encoding))
	}
	return channel.HistoryEntry{Number: e.Number, Time: at, Message: &channel.Message{
		Channel: e.Channel, Body: e.Body, Encoding: e.Encoding,
		From: &channel.Peer{Name: e.From, Key: key, Unverified: true},
	}}, nil
}
