package link

import (
	"bytes"
	"context"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// SendGroup is Send on a group channel, with a head that says whose message it is and to which group. It panics with a *wire.Error on a head that is not encoded: the names have
// been checked.
func (l *Link) SendGroup(ctx context.Context, head wire.GroupHead, name string, enc channel.Encoding, body []byte) error {
	if err := checkEncoding(enc); err != nil {
		return err
	}
	if err := l.fitsGroup(&head, body); err != nil {
		return err
	}
	whole := newGroupBody(&head, body)
	defer whole.free()
	return l.send(ctx, wire.KindGroup, name, &outMsg{flags: wire.EncodingFlags(uint8(enc)), body: whole.b})
}

// fitsGroup reports a body that is too large with its head, in terms of what the caller gave.
func (l *Link) fitsGroup(head *wire.GroupHead, body []byte) error {
	most := l.cfg.PeerMaxMessage - uint32(head.Size())
	if uint64(len(body))+wire.MessageOverhead > uint64(most) {
		return tooLarge(len(body), most)
	}
	return nil
}

// groupBody is a group head with the body behind it, as it is sent. The same message goes to many links, one after the other: small ones share buffers.
type groupBody struct {
	b      []byte
	pooled *[]byte // nil if b is of its own
}

var groupBodies = sync.Pool{New: func() any { b := make([]byte, 0, smallChunk); return &b }}

func newGroupBody(head *wire.GroupHead, body []byte) groupBody {
	if n := head.Size() + len(body); n > smallChunk {
		return groupBody{b: append(head.Append(make([]byte, 0, n)), body...)}
	}
	p := groupBodies.Get().(*[]byte)
	return groupBody{append(head.Append((*p)[:0]), body...), p}
}

// free gives the buffer back. Nobody has kept a part of it.
func (g groupBody) free() {
	if g.pooled != nil {
		groupBodies.Put(g.pooled)
	}
}

// sender is whose message came on a group channel, and to which group, as the server says.
type sender struct {
	head  []byte // encoded
	peer  *channel.Peer
	group string
}

// size is how much of a body the head takes.
func (s *sender) size() int {
	if s == nil {
		return 0
	}
	return len(s.head)
}

// onGroupHead takes the head off the first part of a body, which has all of it. Who sends often is not looked at twice in a row.
func (ch *inChan) onGroupHead(h wire.Header, first []byte) (from *sender, rest []byte, err error) {
	if h.Flags.Has(wire.FlagRequest) {
		return nil, nil, violated("a request on group channel %d", h.ID)
	}
	if s := ch.sender; s != nil && bytes.HasPrefix(first, s.head) {
		return s, first[len(s.head):], nil // the encoding says where it ends: no other begins with it
	}
	g, rest, err := wire.ParseGroupHead(first)
	if err != nil {
		return nil, nil, err
	}
	key, err := keys.NewPublicKey(g.Key[:])
	if err != nil || keys.CheckName(g.Name) != nil || keys.CheckName(g.Group) != nil {
		return nil, nil, violated("a name or a key in the head of a group message is not allowed")
	}
	ch.sender = &sender{
		head:  bytes.Clone(first[:len(first)-len(rest)]),
		peer:  &channel.Peer{Name: g.Name, Key: key, Unverified: true},
		group: g.Group,
	}
	return ch.sender, rest, nil
}
