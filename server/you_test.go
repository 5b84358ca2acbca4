package server_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// notes are what members of a bubble were told that they are, and how they take it.
type notes struct {
	mu     sync.Mutex
	told   []service.Self
	answer func(ctx context.Context) error // nil: at once, and well
}

func (n *notes) take(ctx context.Context, _ channel.Conn, m *channel.Message) error {
	var now service.Self
	if err := m.Decode(&now); err != nil {
		return err
	}
	n.mu.Lock()
	n.told = append(n.told, now)
	answer := n.answer
	n.mu.Unlock()
	if answer != nil {
		if err := answer(ctx); err != nil {
			return err
		}
	}
	return m.ReplyMessage(ctx, channel.CBOR, []byte{0xa0})
}

// all is what they were told so far.
func (n *notes) all() []service.Self {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told
}

// inNotes is inHub for members that take notes, several at once.
func inNotes(t *testing.T, answer func(context.Context) error, change func(*server.Server), f func(t *testing.T, w *bubble, n *notes)) {
	t.Helper()
	inHub(t, change, func(t *testing.T, w *bubble, _ *received) {
		n := &notes{answer: answer}
		w.services = new(channel.Mux)
		w.services.HandleConcurrent(service.You, 4, n.take)
		f(t, w, n)
	})
}

// TestTellsChanges tells a client each change of what it is, and all that it is then; nothing that
// is none, and nothing of others.
func TestTellsChanges(t *testing.T) {
	inNotes(t, nil, allowAll, func(t *testing.T, w *bubble, n *notes) {
		alice := w.member("alice", inGroups("g"))
		w.member("bob", nil)
		sess := alice.session()
		require.NoError(t, sess.Rename("alice"))
		require.NoError(t, sess.JoinGroup("g"))
		require.Error(t, sess.LeaveGroup("other"))
		require.Error(t, sess.Rename("bob"))
		require.Empty(t, n.all())
		require.NoError(t, sess.Rename("queen"))
		require.Equal(t, service.Self{Version: 1, Name: "queen", Groups: []string{"g"}}, n.all()[0])
		require.NoError(t, sess.LeaveGroup("g"))
		require.Equal(t, service.Self{Version: 2, Name: "queen"}, n.all()[1])

		// What it asks for it is told, too, and answered with.
		now, err := query[service.Self](alice, service.Join, service.GroupRequest{Group: "h"})
		require.NoError(t, err)
		require.Equal(t, service.Self{Version: 3, Name: "queen", Groups: []string{"h"}}, now)
		require.Equal(t, now, n.all()[2])
		now, err = query[service.Self](alice, service.Rename, service.NameRequest{})
		require.NoError(t, err)
		require.Equal(t, service.Self{Version: 4, Name: "alice", Groups: []string{"h"}}, now)
		require.Equal(t, now, n.all()[3])
		now, err = query[service.Self](alice, service.Leave, service.GroupRequest{Group: "h"})
		require.NoError(t, err)
		require.Equal(t, service.Self{Version: 5, Name: "alice"}, now)
		require.Len(t, n.all(), 5)

		// A name that the list gives to another is taken away.
		require.NoError(t, sess.Rename("queen"))
		require.Len(t, n.all(), 6)
		list := *w.Keys
		list.Clients = maps.Clone(list.Clients)
		list.Clients["Queen"] = testworld.NewKey(t, "Queen").Public
		require.NoError(t, w.Reload(&list))
		require.Equal(t, service.Self{Version: 7, Name: "alice"}, n.all()[6])
	})
}

// TestTellsOneThingAtATime changes a client that does not answer, also one that is away: one
// request is under way, and the next tells all that came meanwhile.
func TestTellsOneThingAtATime(t *testing.T) {
	inNotes(t, nil, allowAll, func(t *testing.T, w *bubble, n *notes) {
		release := make(chan struct{})
		n.answer = func(context.Context) error { <-release; return nil }
		alice := w.member("alice", nil)
		sess := alice.session()
		for i := range 100 {
			require.NoError(t, sess.Rename(fmt.Sprint("queen", i)))
		}
		synctest.Wait()
		alice.cut()
		for i := range 100 {
			require.NoError(t, sess.Rename(fmt.Sprint("king", i)))
		}
		require.NoError(t, alice.comeBack())
		require.Len(t, n.all(), 1)
		close(release)
		told := n.all()
		require.Len(t, told, 2)
		require.Equal(t, service.Self{Version: 200, Name: "king99"}, told[1])
		require.NoError(t, sess.Rename(""))
		require.Len(t, n.all(), 3)
	})
}

// TestTellsNobodyAgain has a client say that it does not want to know.
func TestTellsNobodyAgain(t *testing.T) {
	inNotes(t, func(context.Context) error { return channel.CodeNoHandler }, allowAll, func(t *testing.T, w *bubble, n *notes) {
		sess := w.member("alice", nil).session()
		for i := range 3 {
			require.NoError(t, sess.Rename(fmt.Sprint("queen", i)))
			require.Len(t, n.all(), 1)
		}
		w.services = nil // which says the same
		sess = w.member("bob", nil).session()
		for i := range 3 {
			require.NoError(t, sess.JoinGroup(fmt.Sprint(i)))
			synctest.Wait()
		}
		require.Len(t, n.all(), 1)
		require.NoError(t, sess.Flush(t.Context()))
		require.NoError(t, sess.Context().Err())
	})
}

// TestTellsNobodyWhoGoes ends sessions, by a shutdown and else, while their clients do not answer:
// nobody waits for that.
func TestTellsNobodyWhoGoes(t *testing.T) {
	forget := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	inNotes(t, forget, allowAll, func(t *testing.T, w *bubble, n *notes) {
		began := time.Now()
		alice, bob := w.member("alice", nil).session(), w.member("bob", nil).session()
		require.NoError(t, alice.Rename("queen"))
		require.NoError(t, bob.Rename("king"))
		require.Len(t, n.all(), 2)
		require.NoError(t, bob.Close())
		require.NoError(t, w.Shutdown(t.Context()))
		require.Equal(t, began, time.Now())
	})
}
