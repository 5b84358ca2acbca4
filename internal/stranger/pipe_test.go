package stranger

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// servers are both kinds of relay.
var servers = map[string]func(*world){
	"our server":   func(w *world) { w.serveOurs(nil) },
	"their server": func(w *world) { w.serveTheirs(LinkConfig{}) },
}

func eachServer(t *testing.T, test func(t *testing.T, w *world)) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			serve(w)
			test(t, w)
		})
	}
}

// The stranger opens, our client accepts and handles.
func TestPipeFromStranger(t *testing.T) {
	eachServer(t, func(t *testing.T, w *world) {
		bob := w.our("bob", ourHandlers())
		alice := w.stranger("alice", LinkConfig{})
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { _ = bob.Run(ctx) })
		pipe, err := alice.OpenPipe("bob", w.people["bob"].public(), LinkConfig{MaxMessage: maxMessage})
		require.NoError(t, err)
		speak(t, pipe)
		pipe.Close(401, "done")
		<-pipe.Done()
		require.True(t, pipe.closeGot)
		require.True(t, plain(pipe).ended)
		require.NoError(t, alice.Ping(1))
		require.NoError(t, noStreams(alice.Link))
		cancel()
		wg.Wait()
	})
}

// noStreams waits until every stream is closed at both ends.
func noStreams(l *Link) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.streams) > 0 && l.err == nil {
		l.cond.Wait()
	}
	return l.err
}

// Our client opens, the stranger accepts and handles.
func TestPipeToStranger(t *testing.T) {
	eachServer(t, func(t *testing.T, w *world) {
		alice := w.our("alice", nil)
		bob := w.stranger("bob", LinkConfig{})
		links := make(chan *Link, 1)
		go func() {
			l, opener, err := bob.AcceptPipe(map[string][]byte{"alice": w.people["alice"].public()},
				LinkConfig{MaxMessage: maxMessage, Handlers: theirHandlers()})
			if err != nil || opener != "alice" {
				l = nil
			}
			links <- l
		}()
		pipe, err := alice.OpenPipe(t.Context(), "bob")
		require.NoError(t, err)
		l := <-links
		require.NotNil(t, l)
		speakOurs(t, pipe)
		require.NoError(t, pipe.CloseWithReason(402, "done"))
		<-l.Done()
		require.Equal(t, &Error{Code: 402, Text: "done", Remote: true}, l.Err())
		require.True(t, plain(l).ended)
		require.NoError(t, bob.Ping(1))
		require.NoError(t, noStreams(bob.Link))
	})
}

// Two of our clients through the stranger's relay.
func TestPipeThroughStranger(t *testing.T) {
	w := newWorld(t)
	w.serveTheirs(LinkConfig{})
	alice, bob := w.our("alice", nil), w.our("bob", ourHandlers())
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { _ = bob.Run(ctx) })
	pipe, err := alice.OpenPipe(t.Context(), "bob")
	require.NoError(t, err)
	speakOurs(t, pipe)
	require.NoError(t, pipe.Close())
	cancel()
	wg.Wait()
}

// What goes wrong before and after a pipe stands, for our opener.
func TestPipeErrorsOurOpener(t *testing.T) {
	eachServer(t, func(t *testing.T, w *world) {
		alice := w.our("alice", nil)
		_, err := alice.OpenPipe(t.Context(), "bob")
		require.ErrorIs(t, err, channel.CodeNotConnected)
		bob := w.stranger("bob", LinkConfig{})
		refused := make(chan error, 1)
		go func() {
			_, _, err := bob.AcceptPipe(nil, LinkConfig{MaxMessage: maxMessage})
			refused <- err
		}()
		_, err = alice.OpenPipe(t.Context(), "bob")
		require.ErrorIs(t, err, channel.CodeUnknownKey)
		require.Error(t, <-refused)

		go func() {
			_, _, err := bob.AcceptPipe(map[string][]byte{"alice": w.people["alice"].public()}, LinkConfig{MaxMessage: maxMessage})
			refused <- err
		}()
		pipe, err := alice.OpenPipe(t.Context(), "bob")
		require.NoError(t, err)
		require.NoError(t, <-refused)
		bob.Close(codeClosed, "")
		<-pipe.Context().Done()
		var lost *channel.LostError
		require.ErrorAs(t, context.Cause(pipe.Context()), &lost)
	})
}

// And for the stranger's.
func TestPipeErrorsStrangerOpener(t *testing.T) {
	eachServer(t, func(t *testing.T, w *world) {
		alice := w.stranger("alice", LinkConfig{})
		open := func(name string, key []byte) (*Link, int) {
			l, err := alice.OpenPipe(name, key, LinkConfig{MaxMessage: maxMessage})
			var why *Error
			if errors.As(err, &why) {
				return l, why.Code
			}
			if err != nil {
				t.Log(err)
				return l, -1
			}
			return l, 0
		}
		_, code := open("nobody", w.hub.public())
		require.Equal(t, codeUnknownPeer, code)
		_, code = open("bob", w.people["bob"].public())
		require.Equal(t, codeNotConnected, code)
		for _, c := range []PipeContext{{Opener: "bob", Target: "carol"}, {Opener: "alice", Target: "alice"}} {
			wrong := &frame{kind: frameOpen, flags: flagPipe, pipe: &c}
			alice.mu.Lock()
			s, err := alice.open(wrong)
			alice.mu.Unlock()
			require.NoError(t, err)
			var why *Error
			require.ErrorAs(t, s.WaitAccept(), &why)
			require.Equal(t, codeRefused, why.Code)
		}

		// A peer that knows the opener under another key, and one that does not know it.
		for want, peers := range map[int]map[string]keys.PublicKey{
			codeUnknownKey: {"alice": w.hub.file.Public},
			codeRefused:    {},
		} {
			bob := w.people["bob"]
			bob.file.Peers = peers
			stubborn := w.our("bob", nil)
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() { _ = stubborn.Run(ctx) })
			_, code = open("bob", bob.public())
			require.Contains(t, []int{codeUnknownKey, codeRefused}, code)
			t.Log(want, code)
			require.NoError(t, stubborn.Close())
			cancel()
			wg.Wait()
		}

		carol := w.our("carol", ourHandlers())
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { _ = carol.Run(ctx) })
		_, code = open("carol", w.hub.public()) // not the key that it should have
		require.Equal(t, -1, code)
		require.NoError(t, alice.Ping(1))
		pipe, code := open("carol", w.people["carol"].public())
		require.Zero(t, code)
		require.NoError(t, pipe.Ping(1))
		inject(pipe, &frame{kind: frameOpen, flags: flagPipe, id: 1, pipe: &PipeContext{Opener: "alice", Target: "carol"}})
		<-pipe.Done()
		var why *Error
		require.ErrorAs(t, pipe.Err(), &why)
		require.Equal(t, codeProtocol, why.Code)
		cancel()
		wg.Wait()
	})
}
