package secure

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// TestReceived: what arrives counts as it arrives, with the reader of sockets and with the other.
func TestReceived(t *testing.T) {
	for name, pair := range map[string]func(t testing.TB) (a, b net.Conn){
		"socket": func(t testing.TB) (a, b net.Conn) { return tcpPair(t) },
		"other":  func(testing.TB) (a, b net.Conn) { return memnet.Pipe(memnet.Config{}) },
	} {
		t.Run(name, func(t *testing.T) {
			i, r := connectOver(t, pair)
			before := r.Received()
			rec, err := seal(i.out.keys, recordData, append(make([]byte, HeadRoom, 100), "a part is enough"...))
			require.NoError(t, err)
			_, err = i.conn.Write(rec[:7])
			require.NoError(t, err)
			require.NoError(t, r.in.fill(0))
			require.EqualValues(t, 7, r.Received()-before)
			_, err = i.conn.Write(rec[7:])
			require.NoError(t, err)
			_, err = r.ReadRecord()
			require.NoError(t, err)
			require.EqualValues(t, len(rec), r.Received()-before)
		})
	}
}
