package link

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

func replying(text string, seen *[]*channel.Message) channel.Handler {
	return func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		if seen != nil {
			*seen = append(*seen, m)
		}
		return m.Reply(ctx, []byte(text))
	}
}

// A service and a channel may have the same name, and Receive gets neither what is asked of
// services nor stands in their way.
func TestServicesAreNotTheApplications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []*channel.Message
		var apps, services channel.Mux
		apps.Handle("x", replying("application", nil))
		apps.Fallback(replying("fallback", nil))
		services.Handle("x", replying("service", &seen))
		services.Handle("y", replying("another", nil))
		a, b := pair(t, nil, &Config{Mux: &apps, Services: &services})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = b.Receive(ctx) }()
		for name, want := range map[string]string{"x": "service", "y": "another"} {
			m, err := a.RequestService(t.Context(), name, []byte{0xf6})
			require.NoError(t, err)
			require.Equal(t, want, string(m.Body))
			require.Equal(t, name, m.Channel)
		}
		m, err := a.Request(t.Context(), "x", channel.Raw, nil)
		require.NoError(t, err)
		require.Equal(t, "application", string(m.Body))
		_, err = a.RequestService(t.Context(), "z", nil)
		require.ErrorIs(t, err, channel.CodeNoHandler)
		require.Len(t, seen, 1)
		require.Equal(t, channel.CBOR, seen[0].Encoding)
		require.True(t, seen[0].IsRequest())
		cancel()
		synctest.Wait()
	})
}

// Services may be there at once. What is the application's still waits for Run, also if a service
// is busy when the other side closes the link and done before Run.
func TestServicesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, release := make(chan struct{}), make(chan struct{})
		var taken []string
		var apps, services channel.Mux
		apps.Handle("x", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			taken = append(taken, string(m.Body))
			return ctx.Err()
		})
		services.Handle("x", replying("service", nil))
		services.Handle("slow", func(context.Context, channel.Conn, *channel.Message) error {
			close(begun)
			<-release
			return nil
		})
		a, b := pair(t, nil, &Config{Mux: &apps, Services: &services, ServicesAtOnce: true})
		require.NoError(t, a.Send(t.Context(), "x", channel.Raw, []byte("one")))
		m, err := a.RequestService(t.Context(), "x", []byte{0xf6})
		require.NoError(t, err)
		require.Equal(t, "service", string(m.Body))
		go func() { _, _ = a.RequestService(t.Context(), "slow", []byte{0xf6}) }()
		<-begun
		go func() { _ = a.Close(channel.CodeClosed, "") }()
		<-b.Done()
		close(release)
		synctest.Wait()
		require.Empty(t, taken)
		b.Run()
		b.Wait()
		require.Equal(t, []string{"one"}, taken)
	})
}

// Without services each such channel is refused at once, also if nobody runs handlers or everything is pulled.
func TestNoServices(t *testing.T) {
	for name, begin := range map[string]func(l *Link){"idle": func(*Link) {}, "run": (*Link).Run, "pull": (*Link).Pull} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mux channel.Mux
				mux.Fallback(block)
				l, r := against(t, &Config{Mux: &mux})
				begin(l)
				r.write(wire.AppendChannel(nil, 1, 0, wire.KindService, "x"), reqFrames(1, 5, 3), msgFrames(1, 60000))
				require.ElementsMatch(t, []string{"REFUSE 1 code 17", "ANSWER 5 error 17"}, r.lines())
				require.Zero(t, arrivedBytes(l))
			})
		})
	}
}

// The channels of services are counted apart, so that they are there however many channels the application uses.
func TestServicesCountApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		mux.Fallback(func(context.Context, channel.Conn, *channel.Message) error { return nil })
		l, r := against(t, &Config{Mux: &mux, Services: &mux, MaxChannels: 64, MaxServices: 3})
		l.Run()
		id := uint32(0)
		open := func(kind wire.Kind, n int) {
			for i := range n {
				id++
				r.write(wire.AppendChannel(nil, id, 0, kind, fmt.Sprint("c", i)))
			}
		}
		open(wire.KindService, 3)
		open(wire.KindApplication, 64)
		require.Empty(t, r.lines())
		r.write(wire.AppendChannel(nil, 68, 0, wire.KindApplication, "one"), wire.AppendChannel(nil, 69, 0, wire.KindService, "two"))
		require.Equal(t, []string{"REFUSE 68 code 6", "REFUSE 69 code 6"}, r.lines())
	})
}

// A request of a service that is given up is cancelled on its own channel.
func TestServiceRequestIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := l.RequestService(ctx, "x", nil)
			done <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Equal(t, []string{"CHANNEL 1", "CHANNEL 2", "MESSAGE 1", "MESSAGE 2", "CANCEL 1"}, sortedChannels(r.lines()))
	})
}

// sortedChannels puts the CHANNEL frames first: they are control.
func sortedChannels(lines []string) []string {
	var front, rest []string
	for _, s := range lines {
		if len(s) > 7 && s[:7] == "CHANNEL" {
			front = append(front, s)
		} else {
			rest = append(rest, s)
		}
	}
	return append(front, rest...)
}
