package server_test

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
)

// knock opens a pipe from one member to bob, which has not been answered when it returns.
func (m *member) knock() *link.Stream {
	m.w.t.Helper()
	p, err := m.link.OpenPipe(wire.PipeOpen{Opener: m.name, Target: "bob"})
	require.NoError(m.w.t, err)
	synctest.Wait()
	return p
}

// greet writes to whoever has opened a pipe, and has not given it up.
func (m *member) greet() {
	synctest.Wait()
	for len(m.pipes) > 0 {
		_, _ = (<-m.pipes).Write([]byte("hi"))
	}
}

func requireGreeted(t *testing.T, p *link.Stream) {
	t.Helper()
	b := make([]byte, 2)
	_, err := io.ReadFull(p, b)
	require.NoError(t, err)
	require.Equal(t, "hi", string(b))
}

// TestStrangerTakesFewPlaces has a client open pipes to one that is away and give them up at once,
// in several sessions: it takes up few of the places of the one who is away, and as many of its
// own.
func TestStrangerTakesFewPlaces(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		bob, alice := w.member("bob", nil), w.member("alice", nil)
		bob.cut()
		for range 3 {
			carol := w.member("carol", nil)
			for range 50 {
				carol.knock().CloseWithReason(channel.CodeCanceled, "")
			}
			synctest.Wait()
			require.Equal(t, 4, bob.session().Stats().Pipes)
		}
		p := alice.knock()
		require.Equal(t, 5, bob.session().Stats().Pipes)
		require.NoError(t, bob.comeBack())
		bob.greet()
		requireGreeted(t, p)
		synctest.Wait()
		require.Equal(t, 1, bob.session().Stats().Pipes)
	})
}

// TestGivenUpCountsAgainstItsOpener holds the opener's own place until the other side knows that it has given up.
func TestGivenUpCountsAgainstItsOpener(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		bob, alice := w.member("bob", nil), w.member("alice", nil)
		bob.cut()
		for range 4 {
			alice.knock().CloseWithReason(channel.CodeCanceled, "")
		}
		synctest.Wait()
		require.Equal(t, 4, alice.session().Stats().Pipes)
		for range 2 {
			_, err := alice.knock().Read(make([]byte, 1))
			require.ErrorIs(t, err, channel.CodeBusy)
		}
		require.NoError(t, bob.comeBack())
		synctest.Wait()
		require.Zero(t, alice.session().Stats().Pipes)

		// Who gives up and tries again gets in, also beside those that were answered and are open.
		for range 6 {
			p := alice.knock()
			bob.greet()
			requireGreeted(t, p)
		}
		require.Equal(t, 6, alice.session().Stats().Pipes)
		bob.cut()
		p := alice.knock()
		require.Equal(t, 7, bob.session().Stats().Pipes)
		require.NoError(t, bob.comeBack())
		bob.greet()
		requireGreeted(t, p)
	})
}

// TestKnockingEndsWithTheSession forgets what was not answered when the one who should have has left.
func TestKnockingEndsWithTheSession(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		bob, alice := w.member("bob", nil), w.member("alice", nil)
		bob.cut()
		for range 4 {
			alice.knock().CloseWithReason(channel.CodeCanceled, "")
		}
		bob = w.member("bob", nil)
		synctest.Wait()
		require.Zero(t, alice.session().Stats().Pipes)
		p := alice.knock()
		bob.greet()
		requireGreeted(t, p)
	})
}
