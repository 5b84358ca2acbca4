package client_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// hub is a server of the test's own making, that cannot resume and answers what clients ask of it
// as the test wants it to. It lives in one bubble.
type hub struct {
	t        *testing.T
	key      *keys.File
	net      *network
	services *channel.Mux
	done     sync.WaitGroup

	mu     sync.Mutex
	refuse channel.Code // the next clients
	hellos []wire.Hello // of those let in
	links  []*link.Link
}

func newHub(t *testing.T) *hub {
	h := &hub{t: t, key: testworld.NewKey(t, keys.ServerName), net: &network{hosts: new(sync.Map)}, services: new(channel.Mux)}
	ln := h.net.listen("hub:1")
	h.done.Go(func() { // stops when the listener is closed
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			pending, err := secure.Accept(context.Background(), conn, &secure.Config{Key: h.key.Private})
			if err == nil {
				h.admit(pending)
			}
		}
	})
	t.Cleanup(func() {
		ln.Close()
		h.done.Wait()
		for _, l := range h.links {
			l.Cut(nil)
			l.Wait()
		}
	})
	return h
}

// admit lets a client in as alice, or not.
func (h *hub) admit(pending *secure.Pending) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hello, err := wire.ParseHello(pending.Hello())
	if err != nil {
		return
	}
	if h.refuse != 0 {
		_ = pending.Refuse(context.Background(), uint16(h.refuse), "")
		return
	}
	w := wire.Welcome{MaxMessage: wire.DefaultMaxMessage, Name: "alice", Record: [wire.IDSize]byte{byte(len(h.links) + 1)}}
	b, err := w.Append(nil)
	if err != nil {
		return
	}
	conn, err := pending.Welcome(context.Background(), b)
	if err != nil {
		return
	}
	peer := &channel.Peer{Name: "alice", Key: pending.PeerKey()}
	l := link.New(conn, &link.Config{Peer: peer, Services: h.services, PeerMaxMessage: hello.MaxMessage, Logger: silent()})
	l.Run()
	h.hellos, h.links = append(h.hellos, hello), append(h.links, l)
}

// dial connects alice.
func (h *hub) dial(change func(*client.Config)) *client.Client {
	h.t.Helper()
	f := testworld.NewKey(h.t, "alice")
	f.Server = &keys.ServerRef{Address: "hub:1", Key: h.key.Public}
	cfg := &client.Config{Keys: f, Logger: silent(), DialContext: h.net.dial}
	if change != nil {
		change(cfg)
	}
	c, err := client.Dial(context.Background(), "", cfg)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { c.Close() })
	return c
}

// asked are the groups that the hello of each session asked for.
func (h *hub) asked() [][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all [][]string
	for _, hello := range h.hellos {
		all = append(all, slices.Clone(hello.Groups))
	}
	return all
}

// last is the link of the present session.
func (h *hub) last() *link.Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.links[len(h.links)-1]
}

// refuses lets in nobody any more, or everybody.
func (h *hub) refuses(code channel.Code) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = code
}

// answer has the hub answer a service.
func answer[Req, Resp any](h *hub, name string, with func(ctx context.Context, v Req) (Resp, error)) {
	h.services.HandleConcurrent(name, 8, func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		var v Req
		if err := m.Decode(&v); err != nil {
			return err
		}
		resp, err := with(ctx, v)
		if err != nil {
			return err
		}
		body, err := channel.Marshal(resp)
		if err != nil {
			return err
		}
		return m.ReplyMessage(ctx, channel.CBOR, body)
	})
}
