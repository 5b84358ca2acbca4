package stranger

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

const many = 200_000

// count sends numbers and checks that they come back in order. It needs the
// echo at the other end.
func count(t *testing.T, send func([]byte) error, receive func() ([]byte, error)) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		for i := range uint32(many) {
			if err := send(binary.BigEndian.AppendUint32(nil, i)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range uint32(many) {
		b, err := receive()
		require.NoError(t, err)
		require.Equal(t, i, binary.BigEndian.Uint32(b))
	}
	require.NoError(t, <-sent)
}

// records says how many records a link has read and written; after Done.
func records(l *Link) (in, out uint64) { return plain(l).in.n, plain(l).out.n }

func TestRekeyStrangerClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	c := w.stranger("alice", LinkConfig{Records: 30})
	count(t, func(b []byte) error { return c.Send("echo", 0, b) },
		func() ([]byte, error) {
			m, err := c.Receive()
			if err != nil {
				return nil, err
			}
			return m.Body, nil
		})
	c.Close(0, "")
	<-c.Done()
	_, out := records(c.Link)
	require.Greater(t, out, uint64(rekeyStep))
}

func TestRekeyStrangerServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	links := w.serveTheirs(LinkConfig{Records: 30, Handlers: theirHandlers()})
	c := w.our("alice", nil)
	count(t, func(b []byte) error { return c.Send(t.Context(), "echo", b) },
		func() ([]byte, error) {
			m, err := c.Receive(t.Context())
			if err != nil {
				return nil, err
			}
			return m.Body, nil
		})
	require.NoError(t, c.Close())
	l := <-links
	<-l.Done()
	_, out := records(l)
	require.Greater(t, out, uint64(rekeyStep))
}
