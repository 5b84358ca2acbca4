package resume

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

var everything = header{flags: allFlags, ack: 1 << 40, ping: 1, pong: 1<<32 - 1, retry: 5}

func TestHeader(t *testing.T) {
	b := everything.append(nil)
	require.Equal(t, []byte{0x0f, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 5}, b)
	require.Len(t, b, MaxHeader)
	require.Equal(t, MaxHeader, everything.size())
	for n := range b {
		_, _, err := parse(b[:n])
		requireBreach(t, err)
	}
	h, stream, err := parse(append(b, "stream"...))
	require.NoError(t, err)
	require.Equal(t, everything, h)
	require.Equal(t, "stream", string(stream))
}

func requireBreach(t *testing.T, err error) {
	t.Helper()
	var breach *wire.Error
	require.ErrorAs(t, err, &breach)
	require.Equal(t, wire.CodeProtocol, breach.Code)
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add([]byte{0, 1})
	f.Add([]byte{0x10, 1})
	f.Add([]byte{flagAck, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{flagPing | flagPong, 0, 0, 0, 1, 0, 0, 0})
	f.Add(append(everything.append(nil), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, stream, err := parse(b)
		if err != nil {
			requireBreach(t, err)
			return
		}
		require.Equal(t, b, append(h.append(nil), stream...))
		require.Equal(t, len(b)-len(stream), h.size())
	})
}

// script is a Lower that brings records and takes everything.
type script struct {
	*memnet.Conn
	records [][]byte
}

func (s *script) RecordRoom() (before, after int)   { return plainBefore, plainAfter }
func (s *script) WriteRecord(b []byte) (int, error) { return len(b) - plainBefore, nil }
func (s *script) CloseWrite() error                 { return nil }
func (s *script) CloseNow() error                   { return nil }

func (s *script) WriteRecordFrom(b []byte) (int, error) { return s.WriteRecord(b) }

func (s *script) ReadRecord() (b []byte, err error) {
	if len(s.records) == 0 {
		return nil, io.EOF
	}
	b, s.records = s.records[0], s.records[1:]
	return b, nil
}

// FuzzRecords gives a Conn, that has sent 100 bytes and has had some, records of anybody's making.
func FuzzRecords(f *testing.F) {
	add := func(records ...[]byte) {
		var b []byte
		for _, r := range records {
			b = append(append(b, byte(len(r))), r...)
		}
		f.Add(b)
	}
	add([]byte{0, 'x'}, []byte{0, 'y'})
	add([]byte{flagAck, 0, 0, 0, 0, 0, 0, 0, 100, 'x', 'y', 'z'}, []byte{flagAck, 0, 0, 0, 0, 0, 0, 0, 99, 'x'})
	add([]byte{flagPing, 0, 0, 0, 1}, []byte{flagPong, 0, 0, 0, 1}, []byte{flagRetry, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		under, _ := memnet.Pipe(memnet.Config{})
		first, then := &script{Conn: under}, &script{Conn: under}
		var want []byte
		broken := false
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			then.records = append(then.records, b[1:1+n])
			if h, stream, err := parse(b[1 : 1+n]); !broken {
				if broken = err != nil || h.has(flagRetry); !broken {
					want = append(want, stream...)
				}
			}
			b = b[1+n:]
		}
		c := New(first, nil)
		defer c.Fail(nil)
		require.NoError(t, writeRecord(c, modelTable[:100]))
		h := c.Handover()
		first.records = [][]byte{{0, 1, 2}}
		_, err := c.ReadRecord()
		require.NoError(t, err)
		require.NoError(t, h.Attach(then, 0))

		var got []byte
		for {
			record, err := c.ReadRecord()
			if err == io.EOF {
				break
			}
			if err != nil {
				requireBreach(t, err)
				broken = true
				break
			}
			got = append(got, record...)
		}
		want = want[min(2, len(want)):] // it came before the handover
		require.True(t, bytes.HasPrefix(want, got))
		require.True(t, broken || len(want) == len(got))
	})
}
