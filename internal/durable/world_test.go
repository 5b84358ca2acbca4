package durable

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/memnet"
)

// world is a Conn and the other end, whose books outlive its links too.
type world struct {
	t     *testing.T
	c     *Conn
	mux   *channel.Mux // of the Conn's links
	books *link.Books  // of the other end
	there *link.Link   // its present link
	conn  *memnet.Conn // the present connection, the Conn's end
	cfg   link.Config  // of the other end's links
	net   memnet.Config
	lost  chan error
	all   []*link.Link
}

func newWorld(t *testing.T, cfg Config) *world {
	w := &world{t: t, books: link.NewBooks(false), lost: make(chan error, 1000)}
	cfg.Lost = func(err error) { w.lost <- err }
	w.c = New(&cfg)
	t.Cleanup(func() {
		w.c.End(errors.New("the test is over"))
		for _, l := range w.all {
			l.Cut(channel.ErrClosed)
			l.Wait()
		}
		w.c.Wait()
	})
	return w
}

// link makes the two links of a connection.
func (w *world) link() *link.Link {
	here, there := memnet.Pipe(w.net)
	w.conn = here
	quiet := slog.New(slog.DiscardHandler)
	l := link.New(here, &link.Config{Initiator: true, Peer: &channel.Peer{Name: "there"}, Mux: w.mux, Books: w.c.Books(), Logger: quiet})
	cfg := w.cfg
	cfg.Peer, cfg.Books, cfg.Logger = &channel.Peer{Name: "here"}, w.books, quiet
	w.there = link.New(there, &cfg)
	w.all = append(w.all, l, w.there)
	return l
}

// attach gives the Conn a new link.
func (w *world) attach() *link.Link {
	w.t.Helper()
	l := w.link()
	require.NoError(w.t, w.c.Attach(l))
	return l
}

// cut loses the present connection.
func (w *world) cut() {
	w.conn.Cut()
	<-w.there.Done()
}

func (w *world) send(name, body string) error {
	return w.c.Send(w.t.Context(), name, channel.Raw, []byte(body))
}

// take receives a message at the other end.
func (w *world) take() *channel.Message {
	w.t.Helper()
	m, err := w.there.Receive(w.t.Context())
	require.NoError(w.t, err)
	return m
}

func gapOf(t *testing.T, err error) *channel.GapError {
	t.Helper()
	var g *channel.GapError
	require.ErrorAs(t, err, &g)
	return g
}

// requireLost wants err to tell of these channels, and no others.
func requireLost(t *testing.T, err error, want ...channel.ChannelGap) {
	t.Helper()
	require.Equal(t, want, gapOf(t, err).Channels)
}

func isGap(err error) bool {
	var g *channel.GapError
	return errors.As(err, &g)
}

// async runs a call that is to wait.
func async(call func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	return done
}

var background = context.Background()
