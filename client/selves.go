package client

import (
	"context"
	"iter"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// Self is who a client is to its server and to others there.
type Self struct {
	// Name is what Client.Name gives.
	Name string

	// Groups are what Client.Groups gives. The slice is the reader's.
	Groups []string
}

// Selves tells who the client is to its server: first as it is, then after each change of Name or
// Groups, whoever has made it, until ctx ends or the client. A new session, which begins with the
// key's own name and the groups that the client has asked for itself, is such a change if these are
// others. A reader that is slow does not see every change, but always the latest; it never keeps
// the client from going on.
//
//	for now := range c.Selves(ctx) {
//		log.Printf("I am %q, in %q", now.Name, now.Groups)
//	}
func (c *Client) Selves(ctx context.Context) iter.Seq[Self] {
	return func(yield func(Self) bool) {
		for {
			now, changed := c.self.now()
			now.Groups = slices.Clone(now.Groups)
			if !yield(now) {
				return
			}
			select {
			case <-changed:
			case <-c.conn.Context().Done():
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// services are what the server asks of the client itself, in one session: only to take note of what it is.
func (c *Client) services(session int) *channel.Mux {
	x := new(channel.Mux)
	x.Handle(service.You, func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		if !m.IsRequest() {
			return nil // nobody waits for anything
		}
		now, err := decode[service.Self](service.You, m)
		if err == nil {
			err = checkSelf(&now)
		}
		if err != nil {
			return &channel.Error{Code: channel.CodeBadMessage, Text: "not what a client can be"}
		}
		c.self.told(now, session)
		_ = m.ReplyMessage(ctx, channel.CBOR, emptyMap) // if the session has ended, nobody waits
		return nil
	})
	return x
}

// emptyMap is a map without fields in CBOR.
var emptyMap = []byte{0xa0}

// checkSelf checks what the server says that the client is.
func checkSelf(now *service.Self) error {
	if err := keys.CheckClientName(now.Name); err != nil {
		return err
	}
	return checkGroups(now.Groups)
}
