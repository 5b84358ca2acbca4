package client

import (
	"context"
	"time"

	"github.com/pysock/pysock/channel"
)

// Waits between questions that have to be asked again. They begin anew with each answer that brought something.
const (
	firstAgain = 50 * time.Millisecond
	mostAgain  = 2 * time.Second
)

// insist is ask for those who listen: it asks again when a session is lost, or the server says no
// for a reason that passes. Its error is final: the server's, or why ctx or the client ended, which
// is what it says if both have.
func insist[Answer any](ctx context.Context, c *Client, back *backoff, name string,
	request any) (answer Answer, err error) {
	for {
		answer, err = ask[Answer](ctx, c, name, request)
		if err == nil || !c.maySucceed(ctx, err) {
			return answer, c.finally(ctx, err)
		}
		if err := c.waitTurn(ctx, back); err != nil {
			return answer, err
		}
	}
}

// finally is err, or if the client or ctx has ended, why.
func (c *Client) finally(ctx context.Context, err error) error {
	switch life := c.conn.Context(); {
	case err == nil:
		return nil
	case life.Err() != nil:
		return withoutGap(context.Cause(life))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// waitTurn waits for the next turn of back. The error is why ctx or the client ended before.
func (c *Client) waitTurn(ctx context.Context, back *backoff) error {
	if back.wait(ctx, c.conn.Context()) {
		return nil
	}
	return c.finally(ctx, channel.ErrClosed)
}
