package client

import (
	"context"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// DialWith is Dial with clocks of the test's own.
func DialWith(ctx context.Context, address string, cfg *Config, wall func() time.Time, elapsed func() time.Duration) (*Client, error) {
	return dial(ctx, address, cfg, clock{wall, elapsed})
}

// Answers is what a body means as the answer of each service that has lists in it; nil where it is none.
type Answers struct {
	Peer     *channel.PeerInfo
	Presence []channel.PeerInfo
	Report   *channel.Report
	History  *channel.HistoryPage
}

// ReadAnswers reads a body as the answers of services, the history's for the entries after a number.
func ReadAnswers(body []byte, after uint64) (a Answers) {
	c := &Client{cfg: Config{Keys: new(keys.File)}}
	m := &channel.Message{Body: body, Encoding: channel.CBOR}
	if p, err := decode[service.Peer](service.Lookup, m); err == nil {
		if info, err := c.peerFrom(&p); err == nil {
			a.Peer = &info
		}
	}
	if p, err := decode[service.PresencePage](service.Presence, m); err == nil {
		for i := range p.Peers {
			if info, err := c.peerFrom(&p.Peers[i]); err == nil {
				a.Presence = append(a.Presence, info)
			}
		}
	}
	if r, err := decode[service.Report](service.Send, m); err == nil {
		if report, err := reportFrom(&r); err == nil {
			a.Report = &report
		}
	}
	if p, err := decode[service.HistoryPage](service.History, m); err == nil {
		if page, err := pageFrom(&p, &service.HistoryRequest{After: after}); err == nil {
			a.History = &page
		}
	}
	return a
}
