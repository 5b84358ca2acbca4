package link

import (
	"bytes"
	"context"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// GroupBody is the body of a message to a group as it is sent, behind the head that says whose
// message it is and to which group. It is made once, and then sent on as many links as there are
// receivers, on many at once if need be: nothing changes it.
type GroupBody struct {
	b    []byte
	head int // how much of b the head is
}

// NewGroupBody copies a body behind its head. It panics with a *wire.Error on a head that is not
// encoded: the names have been checked.
func NewGroupBody(head wire.GroupHead, body []byte) *GroupBody {
	n := head.Size()
	return &GroupBody{append(head.Append(make([]byte, 0, n+len(body))), body...), n}
}

// SendGroup is Send on a group channel, of which a link opens wire.MaxGroupChannels: one more is an
// *channel.Error with CodeLimit. What is too large is so with its head, and the error tells of the
// body without it.
func (l *Link) SendGroup(ctx context.Context, g *GroupBody, name string, enc channel.Encoding) error {
	if err := checkEncoding(enc); err != nil {
		return err
	}
	return l.send(ctx, wire.KindGroup, name, &outMsg{flags: wire.EncodingFlags(uint8(enc)), body: g.b, head: g.head})
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

// onGroupHead takes the head off the first part of a body, which has all of it. Who sends often is
// not looked at twice in a row.
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
