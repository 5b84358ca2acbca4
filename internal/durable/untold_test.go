package durable

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// What was lost is told once, to a call or to Untold, before the end and after it.
func TestUntold(t *testing.T) {
	told := map[string]func(w *world) error{
		"send":  func(w *world) error { return w.send("x", "never") },
		"acked": func(w *world) error { return w.c.SendAcked(w.t.Context(), "x", channel.Raw, nil) },
		"flush": func(w *world) error { return w.c.Flush(w.t.Context()) },
		"untold": func(w *world) error {
			if gap := w.c.Untold(); gap != nil {
				return gap
			}
			return nil
		},
	}
	for name, tell := range told {
		for _, resend := range []bool{false, true} {
			for _, end := range []string{"none", "before", "after"} {
				if resend && end != "before" {
					continue // nothing is told then before the end
				}
				t.Run(name+" "+end, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, Config{Wait: time.Minute, Resend: resend})
						require.Nil(t, w.c.Untold())
						w.attach()
						require.NoError(t, w.send("x", "1"))
						require.Nil(t, w.c.Untold(), "it may still be taken")
						w.cut()
						synctest.Wait()
						if end == "before" {
							<-w.c.Context().Done()
						}
						require.Equal(t, uint64(1), gapOf(t, tell(w)).Sent)
						require.Nil(t, w.c.Untold())
						if end == "after" {
							<-w.c.Context().Done()
							require.Nil(t, w.c.Untold())
						}
					})
				})
			}
		}
	}
}

// News that came after the last that was told is untold.
func TestUntoldAnew(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"end":    func(w *world) { w.c.End(io.ErrNoProgress) },
		"closed": func(w *world) { _ = w.there.Close(channel.CodeKicked, "") },
		"lost":   (*world).cut,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Config{Wait: time.Minute})
				w.attach()
				require.NoError(t, w.send("x", "1"))
				w.cut()
				<-w.lost
				require.Equal(t, uint64(1), w.c.Untold().Sent)
				w.attach()
				require.NoError(t, w.send("x", "2"))
				end(w)
				<-w.c.Context().Done()
				require.Equal(t, uint64(2), w.c.Untold().Sent)
				require.Nil(t, w.c.Untold())
				require.Error(t, w.send("x", "3"))
			})
		})
	}
}
