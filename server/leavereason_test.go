package server_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// TestLeaveReason ends sessions from this side, of clients that are there and that are away: OnLeave
// hears the same of both, an *channel.Error and no loss. One that stays away is lost.
func TestLeaveReason(t *testing.T) {
	for name, c := range map[string]struct {
		limits server.Limits
		end    func(t *testing.T, w *bubble, m *member)
		want   channel.Error
		lost   bool
		gone   bool // only of one that is away
	}{
		"replaced": {end: func(_ *testing.T, w *bubble, _ *member) { w.mustEnter("alice", false) },
			want: channel.Error{Code: channel.CodeReplaced}},
		"replaced by a new session of its instance": {end: func(_ *testing.T, w *bubble, _ *member) {
			w.member("alice", instance(1))
		}, want: channel.Error{Code: channel.CodeReplaced}},
		"revoked": {end: func(t *testing.T, w *bubble, _ *member) {
			list := *w.Keys
			list.Clients = map[string]keys.PublicKey{"bob": w.files["bob"].Public}
			require.NoError(t, w.Reload(&list))
		}, want: channel.Error{Code: channel.CodeRevoked}},
		"closed by the application": {end: func(_ *testing.T, _ *bubble, m *member) {
			_ = m.session().CloseWithReason(300, "enough")
		}, want: channel.Error{Code: 300, Text: "enough"}},
		"closed by the application, and its client comes again": {end: func(_ *testing.T, w *bubble, m *member) {
			go func() { _ = m.session().CloseWithReason(300, "enough") }()
			synctest.Wait()
			w.mustEnter("alice", false)
			w.mustEnter("alice", false)
		}, want: channel.Error{Code: 300, Text: "enough"}, gone: true},
		"revoked, and closed by the application after that": {end: func(t *testing.T, w *bubble, m *member) {
			list, sess := *w.Keys, m.session()
			list.Clients = map[string]keys.PublicKey{"bob": w.files["bob"].Public}
			require.NoError(t, w.Reload(&list))
			_ = sess.CloseWithReason(300, "enough")
		}, want: channel.Error{Code: channel.CodeRevoked}},
		"shut down": {end: func(t *testing.T, w *bubble, _ *member) {
			require.NoError(t, w.Shutdown(t.Context()))
		}, want: channel.Error{Code: channel.CodeShutdown}},
		"too many": {limits: server.Limits{MaxSessions: 1}, end: func(_ *testing.T, w *bubble, _ *member) {
			w.mustEnter("bob", false)
		}, want: channel.Error{Code: channel.CodeLimit, Text: "the client was away, and the server is full"}, gone: true},
		"away for too long": {end: func(*testing.T, *bubble, *member) { <-time.After(3 * time.Minute) },
			want: channel.Error{Code: channel.CodeTimeout, Text: "the client was away for too long"}, lost: true, gone: true},
	} {
		for _, away := range []bool{false, true} {
			if !away && c.gone {
				continue
			}
			t.Run(name+map[bool]string{true: ", away"}[away], func(t *testing.T) {
				reasons := make(chan error, 10)
				inHub(t, func(s *server.Server) {
					s.Limits = c.limits
					s.OnLeave = func(s *server.Session, reason error) {
						if s.Peer().Name == "alice" {
							reasons <- reason
						}
					}
				}, func(t *testing.T, w *bubble, _ *received) {
					m := w.member("alice", instance(1))
					if away {
						m.cut()
						synctest.Wait()
					}
					c.end(t, w, m)
					reason := <-reasons
					var e *channel.Error
					require.ErrorAs(t, reason, &e)
					require.Equal(t, c.want, *e)
					if c.lost {
						require.ErrorAs(t, reason, new(*channel.LostError))
					} else {
						require.Equal(t, e, reason)
					}
				})
			})
		}
	}
}

// TestLeaveReasonUntaken replaces a session whose client is away and has not taken all that it was
// sent: OnLeave hears both.
func TestLeaveReasonUntaken(t *testing.T) {
	reasons := make(chan error, 10)
	inHub(t, func(s *server.Server) {
		s.OnLeave = func(_ *server.Session, reason error) { reasons <- reason }
	}, func(t *testing.T, w *bubble, _ *received) {
		m := w.member("alice", nil)
		m.cut()
		require.NoError(t, m.session().Send(context.Background(), "news", nil))
		synctest.Wait()
		w.mustEnter("alice", false)
		reason := <-reasons
		var gap *channel.GapError
		require.ErrorAs(t, reason, &gap)
		require.Equal(t, uint64(1), gap.Sent-gap.Taken)
		require.Equal(t, &channel.Error{Code: channel.CodeReplaced}, gap.Err)
	})
}

// TestLeaveReasonDraining loses the connection of a client while Shutdown waits for its handler: nobody waits for it to
// come back, and that is this side's decision.
func TestLeaveReasonDraining(t *testing.T) {
	reasons, release := make(chan error, 1), make(chan struct{})
	inHub(t, func(s *server.Server) {
		release = make(chan struct{})
		s.OnLeave = func(_ *server.Session, reason error) { reasons <- reason }
		s.Handler.Handle("slow", func(context.Context, channel.Conn, *channel.Message) error {
			<-release
			return nil
		})
	}, func(t *testing.T, w *bubble, _ *received) {
		m := w.member("alice", nil)
		require.NoError(t, m.link.Send(t.Context(), "slow", channel.Raw, nil))
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- w.Shutdown(context.Background()) }()
		synctest.Wait()
		m.cut()
		close(release)
		require.NoError(t, <-down)
		require.Equal(t, &channel.Error{Code: channel.CodeShutdown}, <-reasons)
	})
}
