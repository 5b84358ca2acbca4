package stranger

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
)

// A pipe between two that are cut all the time, through either server.
func TestPipeOverCuts(t *testing.T) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.grace = time.Minute
			serve(w)
			alice, bob := w.lasting("alice", LinkConfig{}), w.lasting("bob", LinkConfig{})
			var wg sync.WaitGroup
			for _, c := range []*Client{alice, bob} {
				next, _ := cuts(w.conn)
				cutOff(t, c)
				wg.Go(func() { _ = c.Keep(next) })
			}
			accepted := make(chan *Link, 1)
			wg.Go(func() {
				l, _, err := bob.AcceptPipe(map[string][]byte{"alice": w.people["alice"].public()},
					LinkConfig{MaxMessage: maxMessage, Handlers: theirHandlers()})
				if err != nil {
					t.Error(err)
				}
				accepted <- l
			})
			pipe, err := alice.OpenPipe("bob", w.people["bob"].public(), LinkConfig{MaxMessage: maxMessage})
			require.NoError(t, err)
			echoes(t, pipe, 100)
			pipe.Close(401, "done")
			<-pipe.Done()
			l := <-accepted
			<-l.Done()
			require.Equal(t, &Error{Code: 401, Text: "done", Remote: true}, l.Err())
			over(alice)
			over(bob)
			wg.Wait()
		})
	}
}

// What a stranger sends again over another pipe, our client's handler does not
// get twice.
func TestPipeSequencesOurAccepts(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(nil)
	g := make(ledger, 16)
	var mux channel.Mux
	mux.Handle("log", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		g <- string(m.Body)
		return nil
	})
	bob := w.ourWith("bob", &mux, func(*client.Config) {}) // one that outlives the loss of a pipe
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = bob.Run(ctx) })
	alice := w.stranger("alice", LinkConfig{})
	h := NewHistory([16]byte{9})
	open := func() *Link {
		l, err := alice.OpenPipe("bob", w.people["bob"].public(), LinkConfig{MaxMessage: maxMessage, History: h})
		require.NoError(t, err)
		return l
	}
	first := open()
	record := h.Record()
	require.NotEqual(t, none, record)
	sendAll(t, first, "log", "0", "1")
	g.next(t, "0", "1")
	require.NoError(t, first.below.Close())
	<-first.Done()
	h.Again("log", 1)
	second := open()
	require.Equal(t, record, h.Record())
	sendAll(t, second, "log", "1", "2")
	g.next(t, "2")
	h.Again("log", 0) // the second is still there
	third := open()
	sendAll(t, third, "log", "0", "1", "2", "3")
	g.next(t, "3")
	require.Empty(t, g)
	third.Close(0, "")
	<-third.Done()
}

// And what our client sends again after its pipe was lost, the stranger's
// handler does not.
func TestPipeSequencesOurOpens(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(nil)
	bob := w.stranger("bob", LinkConfig{})
	g := make(ledger, 1000)
	library := &Library{}
	accept := func() *Link {
		l, _, err := bob.AcceptPipe(map[string][]byte{"alice": w.people["alice"].public()}, LinkConfig{
			MaxMessage: maxMessage, Library: library, Handlers: map[string]func(*Message){"log": g.handle},
		})
		require.NoError(t, err)
		return l
	}
	alice := w.ourWith("alice", nil, func(cfg *client.Config) { cfg.Delivery = client.AtLeastOnce })
	const messages = 200
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		pipe, err := alice.OpenPipe(t.Context(), "bob")
		if err != nil {
			t.Error(err)
			return
		}
		for i := range messages {
			if err := pipe.Send(t.Context(), "log", append(pattern(2000), strconv.Itoa(i)...)); err != nil {
				t.Error(err)
				return
			}
		}
		if err := pipe.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		_ = pipe.Close()
	})
	for i := range 3 {
		l := accept()
		require.Len(t, library.histories, 1)
		if i == 2 {
			<-l.Done()
			require.Equal(t, &Error{Remote: true}, l.Err())
			break
		}
		until(t, l, func() bool { return l.readBytes > 20_000 })
		_ = l.below.Close()
		<-l.Done()
	}
	for i := range messages {
		require.Equal(t, strconv.Itoa(i), (<-g)[2000:])
	}
	require.Empty(t, g)
}
