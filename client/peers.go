package client

import (
	"context"
	"slices"
	"strings"

	"github.com/pysock/pysock/channel"
)

// Peers gives all who are connected to the server now, or away, sorted by name: those that its
// policy lets the client see, the client itself among them unless it is transient. It is the whole
// list, as the server gave it after the call began, and the server's word. The slice and its Groups
// are the caller's.
//
// Each call asks for the list anew, 256 peers at a time, but for calls that come together, which
// may share one; loops over Presence go on meanwhile. To keep up with who is there such a loop is
// what costs less, and to find one of them Lookup.
//
// The error is a *channel.Error: CodeRefused (the server's policy), CodeNoHandler (a server without
// this service), CodeLimit (more than 262,144 peers), or CodeBadMessage that is not Remote for an
// answer that is none; or why ctx or the client ended. When a session is lost it asks again in the
// next one. It waits while there is no connection, as Request does.
func (c *Client) Peers(ctx context.Context) ([]channel.PeerInfo, error) {
	ctx, done := c.within(ctx)
	defer done()
	return c.roster.list(ctx, c)
}

// listers are those who want the list of a roster, from its beginning and now. Lists are numbered
// as they are begun. It is guarded by the roster's mu.
type listers struct {
	waiting int    // how many listers there are
	begun   uint64 // how many lists were begun
	ended   uint64 // the last of them that has come to its end
}

// list gives a list that is begun from now on. The error is final.
func (r *roster) list(ctx context.Context, c *Client) ([]channel.PeerInfo, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting++
	defer func() {
		r.waiting--
		r.tell() // the loops may ask again
		r.forget()
	}()
	for number := r.begun + 1; ; {
		if err := ctx.Err(); err != nil {
			return nil, c.finally(ctx, err)
		}
		if r.ended >= number {
			return r.all(), nil
		}
		var err error
		if r.asking {
			if r.yield != nil {
				r.yield() // the answer may be hours away
			}
			err = r.wait(ctx, c)
		} else {
			if r.begun < number {
				r.begun, r.whole, r.epoch, r.after = number, false, nil, 0
			}
			err = r.turn(ctx, c, false)
		}
		if err != nil {
			return nil, err
		}
	}
}

// all copies the list, by name.
func (r *roster) all() []channel.PeerInfo {
	list := make([]channel.PeerInfo, 0, len(r.peers))
	for _, info := range r.peers {
		info.Groups = slices.Clone(info.Groups)
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b channel.PeerInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}
