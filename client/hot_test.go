package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/secure"
)

// TestPipeThatIsCutAgainAndAgain has a peer who lets alice in, and cuts: at once for a while, then
// only when the pipe has lasted.
func TestPipeThatIsCutAgainAndAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		raw, err := w.net.dial(ctx, "", "hub:1")
		require.NoError(t, err)
		bob, _, err := testworld.Enter(ctx, raw, w.files["bob"], nil)
		require.NoError(t, err)
		opened := make(chan *secure.Conn, 1000)
		welcome, err := (&wire.Welcome{MaxMessage: wire.DefaultMaxMessage, Record: [wire.IDSize]byte{1}}).Append(nil)
		require.NoError(t, err)
		letIn := func(s *link.Stream, o wire.PipeOpen) {
			s.Accept()
			p, err := secure.Accept(ctx, s, &secure.Config{
				Key: w.files["bob"].Private, Pipe: &secure.Binding{ID: o.ID, Opener: o.Opener, Target: o.Target},
			})
			if !assert.NoError(t, err) {
				return
			}
			if c, err := p.Welcome(ctx, welcome); assert.NoError(t, err) {
				select {
				case opened <- c:
				case <-ctx.Done():
				}
			}
		}
		hop := link.New(bob, &link.Config{
			Initiator: true, Peer: &channel.Peer{Name: "server"}, OpenPipe: func(s *link.Stream, o wire.PipeOpen) { go letIn(s, o) },
		})
		alice := w.dial("alice", nil)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		cut := func() (back time.Duration) {
			begun := time.Now()
			c := <-opened
			back = time.Since(begun)
			c.CloseNow()
			return back
		}

		cut()
		require.Less(t, cut(), 51*time.Millisecond, "the first is most often nobody's fault")
		begun, n := time.Now(), 0
		for ; time.Since(begun) < time.Minute && n < 150; n++ {
			require.LessOrEqual(t, cut(), 2*time.Second)
		}
		require.Less(t, n, 150)

		for range 3 {
			c := <-opened
			<-time.After(10 * time.Second)
			begun := time.Now()
			c.CloseNow()
			c = <-opened
			require.Zero(t, time.Since(begun), "it had lasted")
			opened <- c
		}
		cut()
		require.Less(t, cut(), 51*time.Millisecond, "the waits begin anew")
		require.NoError(t, p.Context().Err())
		require.NoError(t, p.Close())
		hop.Cut(channel.ErrClosed)
		hop.Wait()
	})
}
