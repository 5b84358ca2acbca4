package client

import (
	"context"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// A Group is the clients of the server that are in a group. One need not be in it to send to it. It
// holds nothing but the name: copy it as you like, use it from any goroutine.
type Group struct {
	client *Client
	name   string
}

// Group gives the group of a name. It asks nobody: whether there is such a group, and the client
// may send to it, Send tells.
func (c *Client) Group(name string) Group { return Group{c, name} }

// Name is the group's name, as it was given.
func (g Group) Name() string { return g.name }

// Send sends body to all others in the group on a channel, through the server, which can read it.
// They get it as a message with the group's name in Message.Group, from us by the server's word. It
// waits for the server to have passed the message on, as Session.Send does to each, at most for the
// server's SlowTimeout (5 s by default), and the report says who was not reached. That is no error:
//
//	report, err := c.Group("players").Send(ctx, "move", body)
//	if err == nil {
//		err = report.Err()
//	}
//
// The error is a *keys.NameError for what is no group's or channel's name, or a *channel.Error:
// CodeRefused (the server's policy: nobody may, by default), CodeUnknownPeer (nobody else is in the
// group; if the server keeps a history of it that is no error, and a report that has reached
// nobody), CodeTooLarge, CodeNoHandler. With a *channel.LostError, a *channel.CloseError or ctx's
// the message may have reached some, or not. It is not sent again, with AtLeastOnce either.
func (g Group) Send(ctx context.Context, name string, body []byte) (channel.Report, error) {
	return g.SendMessage(ctx, &channel.Message{Channel: name, Body: body})
}

// SendMessage is Send for a message with another encoding mark than Raw. It uses m's Channel, Body
// and Encoding; typed channels make one:
//
//	m, err := Move.Message(v)
//	report, err := c.Group("players").SendMessage(ctx, m)
func (g Group) SendMessage(ctx context.Context, m *channel.Message) (channel.Report, error) {
	if err := keys.CheckName(g.name); err != nil {
		return channel.Report{}, err
	}
	if err := keys.CheckChannel(m.Channel); err != nil {
		return channel.Report{}, err
	}
	if m.Encoding > channel.CBOR {
		return channel.Report{}, &channel.Error{Code: channel.CodeBadMessage, Text: m.Encoding.String()}
	}
	body := m.Body
	if body == nil {
		body = []byte{} // nil would be null, which is not bytes
	}
	ctx, done := g.client.within(ctx)
	defer done()
	answer, err := ask[service.Report](ctx, g.client, service.Send,
		service.GroupMessage{Group: g.name, Channel: m.Channel, Encoding: m.Encoding, Body: body})
	if err != nil {
		return channel.Report{}, err
	}
	report, err := reportFrom(&answer)
	if err != nil {
		return channel.Report{}, badAnswer(service.Send, err)
	}
	return report, nil
}
