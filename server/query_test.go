package server_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// query asks the server for a service.
func query[Resp any](m *member, name string, req any) (Resp, error) {
	return queryIn[Resp](context.Background(), m, name, req)
}

// queryIn is query with a ctx.
func queryIn[Resp any](ctx context.Context, m *member, name string, req any) (resp Resp, err error) {
	body, err := channel.Marshal(req)
	if err != nil {
		return resp, err
	}
	answer, err := m.link.RequestService(ctx, name, body)
	if err != nil {
		return resp, err
	}
	return resp, answer.Decode(&resp)
}

// asked is a query under way.
type asked[Resp any] struct {
	done   chan struct{}
	cancel context.CancelFunc
	resp   Resp
	err    error
}

// begin queries, and waits until the server can do no more about it for now.
func begin[Resp any](m *member, name string, req any) *asked[Resp] {
	ctx, cancel := context.WithCancel(context.Background())
	a := &asked[Resp]{done: make(chan struct{}), cancel: cancel}
	m.w.t.Cleanup(cancel)
	go func() {
		a.resp, a.err = queryIn[Resp](ctx, m, name, req)
		close(a.done)
	}()
	synctest.Wait()
	return a
}

// waits reports whether there is no answer yet.
func (a *asked[Resp]) waits() bool {
	synctest.Wait()
	select {
	case <-a.done:
		return false
	default:
		return true
	}
}

func (a *asked[Resp]) answer() (Resp, error) {
	<-a.done
	return a.resp, a.err
}

// inGroups makes a hello that joins groups.
func inGroups(groups ...string) func(*wire.Hello) {
	return func(h *wire.Hello) {
		h.Features = wire.FeatureResume
		h.Groups = groups
	}
}

// allowAll lets clients do all that is denied by default.
func allowAll(s *server.Server) {
	s.AllowRename = func(channel.Peer, string) error { return nil }
	s.AllowGroups = func(channel.Peer, []string) error { return nil }
	s.AllowLeave = func(channel.Peer, string) error { return nil }
	s.AllowGroupSend = func(channel.Peer, string, *channel.Message) error { return nil }
}

// inbox keeps the messages of a channel.
type inbox struct {
	mu       sync.Mutex
	messages []*channel.Message
}

// listen gives an inbox of a client's.
func (m *member) listen(name string) *inbox {
	b := new(inbox)
	m.mux.Handle(name, func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.messages = append(b.messages, m)
		return nil
	})
	return b
}

// texts are the bodies of what has come since the last call.
func (b *inbox) texts() (texts []string) {
	for _, m := range b.take() {
		texts = append(texts, string(m.Body))
	}
	return texts
}

// count takes what has come already, and counts it.
func (b *inbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.messages)
	b.messages = nil
	return n
}

// take are the messages that have come since the last call.
func (b *inbox) take() []*channel.Message {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.messages
	b.messages = nil
	return all
}

// TestServicesAreDenied asks a server whose application allows nothing, and one whose policies refuse or panic.
func TestServicesAreDenied(t *testing.T) {
	requests := map[string]any{
		service.Rename: service.NameRequest{Name: "al"},
		service.Join:   service.GroupRequest{Group: "friends"},
		service.Leave:  service.GroupRequest{Group: "friends"},
		service.Send:   service.GroupMessage{Group: "friends", Channel: "news"},
	}
	refuse := func(err error) func(*server.Server) {
		return func(s *server.Server) {
			say := func() error {
				if err == nil {
					panic("no\nthanks")
				}
				return err
			}
			s.AllowRename = func(channel.Peer, string) error { return say() }
			s.AllowGroups = func(channel.Peer, []string) error { return say() }
			s.AllowLeave = func(channel.Peer, string) error { return say() }
			s.AllowGroupSend = func(channel.Peer, string, *channel.Message) error { return say() }
			s.AllowSee = func(channel.Peer, channel.Peer) error { return say() }
			s.AllowHistory = func(channel.Peer, string) error { return say() }
			s.Histories = map[string]*channel.History{"news": channel.NewHistory(channel.HistoryConfig{})}
		}
	}
	for name, c := range map[string]struct {
		change func(*server.Server)
		want   channel.Code
		text   string
	}{
		"by default":   {nil, channel.CodeRefused, "this server lets nobody"},
		"by an error":  {refuse(context.DeadlineExceeded), channel.CodeRefused, ""},
		"with a code":  {refuse(channel.Code(300)), 300, ""},
		"with reasons": {refuse(&channel.Error{Code: 301, Text: "not today"}), 301, "not today"},
		"by a panic":   {refuse(nil), channel.CodeInternal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, c.change, func(t *testing.T, w *bubble, _ *received) {
				m := w.member("alice", nil)
				for name, req := range requests {
					_, err := query[any](m, name, req)
					var e *channel.Error
					require.ErrorAs(t, err, &e, name)
					require.True(t, e.Remote)
					require.Equal(t, c.want, e.Code, name)
					if name != service.Join || c.change != nil {
						require.Contains(t, e.Text, c.text)
					}
				}
				require.Equal(t, "alice", m.session().Peer().Name)
				require.Empty(t, m.session().Groups())
				if c.change == nil {
					return
				}
				_, err := query[any](m, service.History, service.HistoryRequest{Name: "news"})
				require.ErrorIs(t, err, c.want)
				w.member("bob", nil)
				for _, name := range []string{"bob", "carol"} {
					_, err = query[any](m, service.Lookup, service.NameRequest{Name: name})
					require.ErrorIs(t, err, channel.CodeUnknownPeer, "as of nobody, also of one that is not there")
				}
			})
		})
	}
}

// TestBadServiceRequests sends what no service understands: each is refused, and nothing else happens.
func TestBadServiceRequests(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		m, other := w.member("alice", nil), w.member("bob", nil)
		for _, name := range service.Names {
			for what, body := range map[string][]byte{
				"nothing":      nil,
				"not CBOR":     {0xff},
				"a number":     {1},
				"other fields": {0xa1, 0x64, 'n', 'a', 'm', 'e', 1, 0xa1},
			} {
				_, err := m.link.RequestService(t.Context(), name, body)
				require.ErrorIs(t, err, channel.CodeBadMessage, "%s: %s", name, what)
			}
		}
		_, err := m.link.RequestService(t.Context(), "no.such", nil)
		require.ErrorIs(t, err, channel.CodeNoHandler)
		for _, bad := range []string{"a\nb", "a\x1b[31m", "a\u202eb", "a/b", "..", "a b"} {
			for _, name := range []string{service.Rename, service.Lookup} {
				_, err := query[any](m, name, service.NameRequest{Name: bad})
				require.ErrorIs(t, err, channel.CodeBadName, "%s %q", name, bad)
				require.NotContains(t, err.Error(), "\x1b")
			}
			for _, name := range []string{service.Join, service.Leave} {
				_, err := query[any](m, name, service.GroupRequest{Group: bad})
				require.ErrorIs(t, err, channel.CodeBadName, "%s %q", name, bad)
			}
			_, err = query[any](m, service.Send, service.GroupMessage{Group: bad, Channel: "news"})
			require.ErrorIs(t, err, channel.CodeBadName)
		}
		_, err = query[any](m, service.Rename, service.NameRequest{Name: "Server"})
		require.ErrorIs(t, err, channel.CodeBadName)
		_, err = query[any](m, service.Send, service.GroupMessage{Group: "g", Channel: "two words"})
		require.ErrorIs(t, err, channel.CodeBadName)
		_, err = query[any](m, service.Send, service.GroupMessage{Group: "g", Channel: "news", Encoding: 3})
		require.ErrorIs(t, err, channel.CodeBadMessage)
		_, err = query[service.Peer](other, service.Lookup, service.NameRequest{Name: "alice"})
		require.NoError(t, err)
	})
}

// TestLookup finds who is here, away, known or nobody.
func TestLookup(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", inGroups("blue", "red")), w.member("bob", nil)
		look := func(name string) (service.Peer, error) {
			return query[service.Peer](bob, service.Lookup, service.NameRequest{Name: name})
		}
		peer, err := look("alice")
		require.NoError(t, err)
		want := service.Peer{Name: "alice", Key: w.files["alice"].Public.Bytes(), Groups: []string{"blue", "red"}, State: service.Here,
			Since: alice.session().Since().UnixMilli()}
		require.Equal(t, want, peer)
		<-time.After(time.Minute)
		lost := time.Now().UnixMilli()
		alice.cut()
		<-time.After(time.Minute)
		peer, err = look("alice")
		require.NoError(t, err)
		want.State, want.Away = service.Away, lost
		require.Equal(t, want, peer)
		peer, err = look("bob")
		require.NoError(t, err)
		require.Equal(t, "bob", peer.Name)
		_, err = look("carol")
		require.ErrorIs(t, err, channel.CodeNotConnected)
		_, err = look("dave")
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
	})
}
