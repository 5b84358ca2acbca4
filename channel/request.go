package channel

import (
	"context"
	"fmt"
)

// Request sends v as CBOR and waits for the answer, which it decodes. It is the
// counterpart of [Respond]. Only the answer's type need be given:
//
//	area, err := channel.Request[float64](ctx, conn, "area", Circle{Radius: 2})
//
// It waits as [Conn].Request does. The error is the Conn's, Marshal's with nothing sent, or a
// *[DecodeError] of an answer that is not a Resp.
func Request[Resp, Req any](ctx context.Context, c Conn, channel string, v Req) (Resp, error) {
	var none Resp
	body, err := Marshal(v)
	if err != nil {
		return none, err
	}
	m, err := c.RequestMessage(ctx, &Message{Channel: channel, Body: body, Encoding: CBOR})
	if err != nil {
		return none, err
	}
	return decode[Resp](m)
}

// Respond registers h for the requests of a channel, as r.Handle does. What h returns is the
// answer, sent as CBOR; its error is answered as a [Handler]'s is. h is not called for a request
// whose body is not a Req, which is answered with CodeBadMessage, nor for a message that is not a
// request, which is logged.
func Respond[Req, Resp any](r Registrar, channel string, h func(ctx context.Context, from Conn, v Req) (Resp, error)) {
	if h == nil {
		panic(fmt.Sprintf("channel: nil handler for %q", channel))
	}
	r.Handle(channel, func(ctx context.Context, from Conn, m *Message) error {
		if !m.IsRequest() {
			return ErrNotRequest
		}
		v, err := decode[Req](m)
		if err != nil {
			return err
		}
		resp, err := h(ctx, from, v)
		if err != nil {
			return err
		}
		body, err := Marshal(resp)
		if err != nil {
			// The asker is told that it is not to blame; what is wrong with the value is for this end's log.
			if told := m.ReplyError(CodeInternal, "the answer cannot be encoded"); told != nil {
				return told
			}
			return err
		}
		return m.ReplyMessage(ctx, CBOR, body)
	})
}
