package link

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
)

func TestSendReceive(t *testing.T) {
	ctx := context.Background()
	a, b := pair(t, nil, nil)
	go func() {
		for i := range 5000 {
			if err := a.Send(ctx, "news", channel.Raw, fmt.Appendf(nil, "%d", i)); err != nil {
				panic(err)
			}
		}
	}()
	for i := range 5000 {
		m, err := b.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(m.Body))
		require.Equal(t, "news", m.Channel)
		require.Equal(t, "a", m.From.Name)
	}
}

func TestLarge(t *testing.T) {
	ctx := context.Background()
	a, b := pair(t, nil, nil)
	sizes := []int{0, 1, 16380, 16384, 16385, 65504, 65505, 1 << 20, 16 << 20, 5, 3 << 20}
	go func() {
		for _, n := range sizes {
			if err := a.Send(ctx, "big", channel.Raw, make([]byte, n)); err != nil {
				panic(err)
			}
		}
	}()
	for _, n := range sizes {
		m, err := b.Receive(ctx)
		require.NoError(t, err)
		require.Len(t, m.Body, n)
	}
	require.NoError(t, a.Flush(ctx))
	require.ErrorIs(t, a.Send(ctx, "big", channel.Raw, make([]byte, 16<<20+1)), channel.CodeTooLarge)
}

func TestRequest(t *testing.T) {
	ctx := context.Background()
	var mux channel.Mux
	mux.Handle("echo", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return m.Reply(ctx, m.Body)
	})
	mux.Handle("fail", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return io.ErrNoProgress
	})
	a, b := pair(t, nil, &Config{Mux: &mux})
	b.Run()
	for _, n := range []int{0, 10, 65504, 65505, 1 << 20} {
		m, err := a.Request(ctx, "echo", channel.Text, make([]byte, n))
		require.NoError(t, err)
		require.Len(t, m.Body, n)
	}
	_, err := a.Request(ctx, "fail", channel.Raw, nil)
	require.ErrorIs(t, err, channel.CodeFailed)
	_, err = a.Request(ctx, "nobody", channel.Raw, nil)
	require.ErrorIs(t, err, channel.CodeNoHandler)
	require.NoError(t, a.Close(0, "bye"))
	require.ErrorIs(t, a.Send(ctx, "echo", channel.Raw, nil), channel.ErrClosed)
	<-b.Done()
	var ce *channel.CloseError
	require.ErrorAs(t, context.Cause(b.Context()), &ce)
	require.Equal(t, "bye", ce.Text)
}

func TestStreamIsAConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		var listeners Listeners
		ln, err := listeners.Listen("x")
		if err != nil {
			return nil, nil, nil, err
		}
		ca, cb := memnet.Pipe(memnet.Config{})
		a := New(ca, &Config{Initiator: true, Peer: &channel.Peer{Name: "b"}})
		b := New(cb, &Config{Peer: &channel.Peer{Name: "a"}, Listeners: &listeners})
		c1, err = a.OpenStream(context.Background(), "x")
		if err != nil {
			return nil, nil, nil, err
		}
		c2, err = ln.Accept()
		stop = func() {
			c1.Close()
			c2.Close()
			a.Close(0, "")
			b.Close(0, "")
			a.Wait()
			b.Wait()
		}
		return c1, c2, stop, err
	})
}
