package client

import (
	"context"
	"errors"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// Lookup asks the server who has a name, if that client is connected or may come back. What it says
// is its word and no more: OpenPipe relies on none of it.
//
// One that has another name for the rest of its session is found by that and by its key's own.
// PeerInfo.Name is the present name in any case, so it may be another than was asked for: the Key
// says who it is.
//
// The error is a *keys.NameError for what is no client's name, or a *channel.Error: CodeUnknownPeer
// (nobody has the name whom the server's policy lets us see), CodeNotConnected (it is somebody's
// who is not here), CodeNoHandler (a server without this service), or CodeBadMessage that is not
// Remote for an answer that is none. It waits while there is no connection, as Request does.
func (c *Client) Lookup(ctx context.Context, name string) (channel.PeerInfo, error) {
	if err := keys.CheckClientName(name); err != nil {
		return channel.PeerInfo{}, err
	}
	ctx, done := c.within(ctx)
	defer done()
	p, err := ask[service.Peer](ctx, c, service.Lookup, service.NameRequest{Name: name})
	if err != nil {
		return channel.PeerInfo{}, err
	}
	info, err := c.peerFrom(&p)
	switch {
	case err != nil:
		return channel.PeerInfo{}, badAnswer(service.Lookup, err)
	case info.State == channel.Left: // which has no name
		return channel.PeerInfo{}, badAnswer(service.Lookup, errors.New("it is about somebody who has left"))
	}
	return info, nil
}

// Rename asks the server for another name, which Name gives when Rename returns nil, and others see
// in Presence and in messages to groups; "" asks for the one again that the key has. The name is
// the session's: the next one begins with the key's own name, which State and States show as a new
// State.Session. The server carries pipes to either name, but peers go on to open theirs to the one
// that their key file, or their Config.KnownPeers, has our key under: the key's own as a rule. For
// a new name OpenPipe fails there with CodeUnknownPeer, and a file holds a key once. Pipes that we
// open are from the key's own name. The server's application may give the session another name at
// any time, which is as Rename: Name gives it as soon as the client has heard of it.
//
// The error is a *keys.NameError for what is no client's name, a *channel.Error with CodeRefused
// (the server's policy: nobody may, by default), CodeNameTaken, CodeBadName or CodeNoHandler;
// errors.Is finds ErrSessionLost in it if the session was lost meanwhile. It waits while there is
// no connection, as Request does.
func (c *Client) Rename(ctx context.Context, name string) error {
	if name != "" {
		if err := keys.CheckClientName(name); err != nil {
			return err
		}
	}
	ctx, done := c.within(ctx)
	defer done()
	if err := c.self.take(ctx, c.conn.Context()); err != nil {
		return err
	}
	defer c.self.release()
	asked := c.self.present()
	now, err := ask[service.Self](ctx, c, service.Rename, service.NameRequest{Name: name})
	if err != nil {
		return err
	}
	if now.Version == 0 {
		_, now.Groups = c.self.is()
	}
	if err = checkSelf(&now); err == nil && name != "" && now.Name != name {
		err = errors.New("it is another name than was asked for")
	}
	if err != nil {
		return badAnswer(service.Rename, err)
	}
	if !c.self.told(now, asked.session) {
		return sessionLost(&channel.LostError{Err: errNewSession})
	}
	return nil
}

// Groups are the groups that the client is in, sorted: those that its session began with, which are
// Config.Groups and what JoinGroup has added since, and what has changed in the session. The
// server's application may put a client into groups, and out of them, at any time, for the rest of
// the session: of that the client hears within the time of a message, and Selves tells when it
// does. The slice is the caller's.
func (c *Client) Groups() []string {
	_, groups := c.self.is()
	return slices.Clone(groups)
}

// JoinGroup joins a group, which Peer.Groups shows to the server's application and others from then
// on. It is the client's for longer than the session: like those of Config.Groups it is asked for
// when the next one begins, and a server whose policy does not allow it any more refuses that
// session with CodeRefused, which is the client's end. To be in the group already is no error.
//
// The error is a *keys.NameError for what is no group's name, or a *channel.Error: CodeRefused (the
// server's policy: nobody may, by default), CodeLimit (there are 16 already), CodeNoHandler. It
// waits while there is no connection, as Request does; and for other calls of JoinGroup, LeaveGroup
// and Rename, which are made one after another. With an error for which the server is not to blame,
// such as ctx's, the client may be in the group until its session ends.
func (c *Client) JoinGroup(ctx context.Context, group string) error {
	if err := keys.CheckName(group); err != nil {
		return err
	}
	return c.regroup(ctx, func(ctx context.Context) (bool, error) {
		if err := c.self.mayJoin(group); err != nil {
			return false, err
		}
		asked := c.self.present()
		now, err := c.askGroups(ctx, service.Join, group, true)
		if err != nil {
			return false, err
		}
		return c.self.joined(group, now, asked.session), nil
	})
}

// LeaveGroup leaves a group, and does not join it again with the next session. The error is as of
// JoinGroup, and CodeUnknownPeer if the client was not in it; that it may leave is up to the
// server's policy, too: nobody may, by default.
func (c *Client) LeaveGroup(ctx context.Context, group string) error {
	if err := keys.CheckName(group); err != nil {
		return err
	}
	return c.regroup(ctx, func(ctx context.Context) (bool, error) {
		asked := c.self.present()
		now, err := c.askGroups(ctx, service.Leave, group, false)
		var refused *channel.Error
		if errors.As(err, &refused) && refused.Remote && refused.Code == channel.CodeUnknownPeer {
			c.self.notIn(group, asked)
			return true, err
		}
		if err != nil {
			return false, err
		}
		return c.self.left(group, now, asked.session), nil
	})
}

// regroup asks for a change until the session that there is then has it: the one that was asked may
// have been lost when the answer came.
func (c *Client) regroup(ctx context.Context, change func(context.Context) (bool, error)) error {
	ctx, done := c.within(ctx)
	defer done()
	if err := c.self.take(ctx, c.conn.Context()); err != nil {
		return err
	}
	defer c.self.release()
	for {
		if done, err := change(ctx); done || err != nil {
			return err
		}
	}
}

// askGroups asks to join or leave a group, and gives what the client is then.
func (c *Client) askGroups(ctx context.Context, name, group string, in bool) (service.Self, error) {
	now, err := ask[service.Self](ctx, c, name, service.GroupRequest{Group: group})
	if err != nil {
		return service.Self{}, err
	}
	if now.Version == 0 {
		now.Name, _ = c.self.is()
	}
	if err = checkSelf(&now); err == nil && slices.Contains(now.Groups, group) != in {
		err = errors.New("the group is not as was asked for")
	}
	if err != nil {
		return service.Self{}, badAnswer(name, err)
	}
	return now, nil
}
