package client

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// mostAnswer is how large the answer of a service may be that does not carry messages. The largest
// that there is for, a page of presence, has less than half of it.
const mostAnswer = 1 << 20

// ask asks the server for a service. What Config.FailOffline says is the caller's to look after.
// The error is the server's *channel.Error, one with CodeBadMessage that is not Remote for an
// answer that is none, and else why the session or the client ended.
func ask[Answer any](ctx context.Context, c *Client, name string, request any) (Answer, error) {
	var none Answer
	body, err := channel.Marshal(request)
	if err != nil {
		return none, err
	}
	m, err := c.conn.RequestService(ctx, name, body)
	if err != nil {
		return none, err
	}
	return decode[Answer](name, m)
}

// decode reads the answer of a service. What is in it is still to be checked.
func decode[Answer any](name string, m *channel.Message) (Answer, error) {
	var answer, none Answer
	if err := checkShape(name, m); err != nil {
		return none, err
	}
	if err := m.Decode(&answer); err != nil {
		return none, badAnswer(name, err)
	}
	return answer, nil
}

// badAnswer is the error of an answer that is not what the service's should be.
func badAnswer(name string, err error) error {
	return &channel.Error{Code: channel.CodeBadMessage, Text: fmt.Sprintf("the server's answer to %q: %v", name, err)}
}

// item counts an element of a list, and takes no memory.
type item struct{}

// UnmarshalCBOR takes anything.
func (*item) UnmarshalCBOR([]byte) error { return nil }

// checkShape bounds what an answer costs that is decoded: its lists could have a million empty elements else.
func checkShape(name string, m *channel.Message) error {
	if name != service.History && len(m.Body) > mostAnswer {
		return badAnswer(name, fmt.Errorf("it has %d bytes", len(m.Body)))
	}
	var lists struct {
		Groups    []item `cbor:"groups"`
		Peers     []item `cbor:"peers"`
		Unreached []item `cbor:"unreached"`
		Entries   []item `cbor:"entries"`
	}
	if err := m.Decode(&lists); err != nil {
		return badAnswer(name, err)
	}
	if len(lists.Groups) > wire.MaxGroups || len(lists.Peers) > service.MaxPage ||
		len(lists.Unreached) > service.MaxUnreached || len(lists.Entries) > service.MaxEntries {
		return badAnswer(name, fmt.Errorf("a list of %d is too long",
			max(len(lists.Groups), len(lists.Peers), len(lists.Unreached), len(lists.Entries))))
	}
	return nil
}

// peerFrom reads who somebody is by the server's word.
func (c *Client) peerFrom(p *service.Peer) (channel.PeerInfo, error) {
	key, err := keys.NewPublicKey(p.Key)
	if err != nil {
		return channel.PeerInfo{}, err
	}
	info := channel.PeerInfo{Peer: channel.Peer{Key: key, Unverified: true}, State: channel.PeerState(p.State)}
	switch {
	case info.State > channel.Left:
		return channel.PeerInfo{}, fmt.Errorf("a peer has the %v", info.State)
	case info.State == channel.Left:
		return info, nil
	}
	if err := keys.CheckClientName(p.Name); err != nil {
		return channel.PeerInfo{}, err
	}
	if err := checkGroups(p.Groups); err != nil {
		return channel.PeerInfo{}, err
	}
	if info.Since, err = timeFrom(p.Since); err != nil {
		return channel.PeerInfo{}, err
	}
	if info.State == channel.Away {
		if info.AwaySince, err = timeFrom(p.Away); err != nil {
			return channel.PeerInfo{}, err
		}
	}
	info.Name, info.Groups = p.Name, p.Groups
	info.Unverified = c.cfg.Keys.Peers[p.Name] != key
	return info, nil
}

// checkGroups checks groups that the server has named.
func checkGroups(groups []string) error {
	if len(groups) > wire.MaxGroups {
		return fmt.Errorf("%d groups, more than %d", len(groups), wire.MaxGroups)
	}
	for i, g := range groups {
		if err := keys.CheckName(g); err != nil {
			return fmt.Errorf("group: %w", err)
		}
		if i > 0 && groups[i-1] >= g {
			return fmt.Errorf("group %q comes after %q", g, groups[i-1])
		}
	}
	return nil
}

// timeFrom reads Unix milliseconds; 0 is the zero time. What cannot be written with a year of four digits is none.
func timeFrom(milli int64) (time.Time, error) {
	if milli == 0 {
		return time.Time{}, nil
	}
	t := time.UnixMilli(milli)
	if y := t.UTC().Year(); milli < 0 || y > 9999 {
		return time.Time{}, fmt.Errorf("the time %d ms is not one", milli)
	}
	return t, nil
}

// reportFrom reads who got a message.
func reportFrom(r *service.Report) (channel.Report, error) {
	if min(r.Reached, r.More) < 0 || max(r.Reached, r.More) > math.MaxInt32 {
		return channel.Report{}, fmt.Errorf("numbers that cannot be: %d reached, %d others not", r.Reached, r.More)
	}
	report := channel.Report{Reached: r.Reached, More: r.More,
		Unreached: slices.Grow([]channel.Unreached(nil), len(r.Unreached))}
	for i := range r.Unreached {
		u := &r.Unreached[i]
		key, err := keys.NewPublicKey(u.Key)
		if err == nil {
			err = keys.CheckClientName(u.Name)
		}
		if err != nil {
			return channel.Report{}, err
		}
		report.Unreached = append(report.Unreached, channel.Unreached{
			Peer: channel.Peer{Name: u.Name, Key: key, Unverified: true},
			Err:  &channel.Error{Code: u.Code, Remote: true},
		})
	}
	return report, nil
}
