package client

import (
	"context"
	"errors"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// passing says what may be had later although it was refused, or has ended, with a code.
type passing uint8

const (
	// ofSession: a server that refuses a client with the code, or closes its session, lets it come back.
	ofSession passing = 1 << iota
	// ofPipe: a pipe to a peer who was there may be opened later, if the peer or the server says so.
	// That there is no such name says a server, too, that keeps names in memory alone and was
	// restarted, until the peer is back.
	ofPipe
	// ofService: the server may do later what it does not do now.
	ofService
)

// passes has the codes with which something may be had later. All others are final.
var passes = map[channel.Code]passing{
	channel.CodeShutdown: ofSession | ofPipe | ofService,
	channel.CodeTimeout:  ofSession | ofPipe | ofService,
	channel.CodeBusy:     ofSession | ofPipe | ofService,
	channel.CodeLimit:    ofSession | ofPipe,
	channel.CodeCanceled: ofPipe | ofService,

	channel.CodeNoSession: ofSession,

	channel.CodeClosed:       ofPipe,
	channel.CodeUnknownPeer:  ofPipe,
	channel.CodeNotConnected: ofPipe,
	channel.CodeGone:         ofPipe,
}

// refuses reports whether code is final for it.
func (p passing) refuses(code channel.Code) bool { return passes[code]&p == 0 }

// finalForClient reports whether an attempt's error says that no later one will do better.
func finalForClient(err error) bool {
	return errors.Is(err, errChangedName) || finalFor(ofSession, err)
}

// finalForPipe is finalForClient for an attempt to open a pipe.
func finalForPipe(err error) bool { return finalFor(ofPipe, err) }

func finalFor(p passing, err error) bool {
	var changed *keys.ChangedKeyError
	var refused *channel.Error
	switch {
	case errors.As(err, &changed):
		return true
	case errors.As(err, &refused):
		return refused.Remote && p.refuses(refused.Code)
	}
	return false
}

// maySucceed reports whether a service that failed with err may be had later.
func (c *Client) maySucceed(ctx context.Context, err error) bool {
	if ctx.Err() != nil || c.conn.Context().Err() != nil {
		return false
	}
	said, ok := err.(*channel.Error)
	if !ok {
		return true // the session was lost
	}
	return said.Remote && !ofService.refuses(said.Code)
}

// endWith is err, for which a client that has had a session is not to get another, as its end: it
// must not matter whether somebody who is kicked has a connection at that moment.
func endWith(err error) error {
	var refused *channel.Error
	if errors.As(err, &refused) && refused.Remote {
		return &channel.CloseError{Code: refused.Code, Text: refused.Text}
	}
	return &channel.LostError{Err: err}
}
