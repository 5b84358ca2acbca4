package secure

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TryReadRecord returns what came along with the last record, if it is whole, and reads nothing.
func TestTryReadRecord(t *testing.T) {
	s := newSession(t)
	wire := s.records(t, []byte("one"), []byte("two"), []byte("three"), []byte("four"))
	conn := &fixed{b: wire[:len(wire)-1]}
	c := &Conn{}
	c.in.init(conn, newSession(t).send, false)
	nothing := func() {
		t.Helper()
		b, err := c.TryReadRecord()
		require.NoError(t, err)
		require.Empty(t, b)
	}
	nothing()
	require.NotEmpty(t, conn.b, "nothing was read")
	b, err := c.ReadRecord()
	require.NoError(t, err)
	require.Equal(t, "one", string(b))
	for _, want := range []string{"two", "three"} {
		b, err := c.TryReadRecord()
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
	nothing()
	conn.b = wire[len(wire)-1:]
	nothing()
	b, err = c.ReadRecord()
	require.NoError(t, err)
	require.Equal(t, "four", string(b))
}

// What is wrong with a record that is there is said at once, and again.
func TestTryReadTampered(t *testing.T) {
	s := newSession(t)
	wire := s.records(t, []byte("one"), []byte("two"))
	wire[len(wire)-1] ^= 1
	c := &Conn{}
	c.in.init(&fixed{b: wire}, newSession(t).send, false)
	_, err := c.ReadRecord()
	require.NoError(t, err)
	_, err = c.TryReadRecord()
	require.Equal(t, ErrTampered, err)
	_, err = c.ReadRecord()
	require.Equal(t, ErrTampered, err)
}
