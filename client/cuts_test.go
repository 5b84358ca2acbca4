package client_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// record keeps the numbers that numbered messages bring, in the order in which they are taken.
type record struct {
	mu      sync.Mutex
	numbers []uint32
}

func (r *record) take(_ context.Context, _ channel.Conn, m *channel.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers = append(r.numbers, binary.BigEndian.Uint32(m.Body))
	return nil
}

// taken waits for handlers that have begun, as a message counts as taken when its handler begins.
func (r *record) taken() []uint32 {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]uint32{}, r.numbers...)
}

// numbered is a body that begins with a number.
func numbered(i, size int) []byte {
	b := make([]byte, 4+size)
	binary.BigEndian.PutUint32(b, uint32(i))
	return b
}

func upTo(n int) []uint32 {
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(i)
	}
	return all
}

// faulty makes each connection but the first ones fail somewhere, at random but the same for the
// same seed: it is cut, reset or becomes a black hole, whole or in one direction.
func faulty(seed uint64, spare int) func(n int) memnet.Config {
	random := rand.New(rand.NewPCG(seed, 1))
	return func(n int) memnet.Config {
		cfg := memnet.Config{Seed: random.Uint64(), Chunk: 1 + random.IntN(5000), Delay: time.Duration(random.IntN(20)) * time.Millisecond}
		after := 500 + random.Int64N(200000) // more than a record, or nothing would ever get through
		if n < spare {
			after += 10000
		}
		switch random.IntN(4) {
		case 0, 1:
			cfg.CutAfter = after
		case 2:
			cfg.ResetAfter = after
		case 3:
			cfg.VanishAfter = after
		}
		return cfg
	}
}

// TestCuts sends in all the ways there are over connections that fail again and again: nobody notices anything.
func TestCuts(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { testCuts(t, seed) })
		})
	}
}

// testCuts sends messages, requests and a stream, all at once.
//
// Length: one line after the other, each way of sending has few.
func testCuts(t *testing.T, seed uint64) {
	const messages = 300
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // of the bubble
	defer cancel()
	var atServer, atBob record
	w := newWorld(t, func(s *server.Server) {
		s.Handler.Handle("up", atServer.take)
		s.Handler.Handle("ask", testworld.Echo)
	}, "alice", "bob")
	ln, err := w.srv.Listen("copy")
	require.NoError(t, err)
	go func() { // stops with the server
		s, err := ln.Accept()
		if err == nil {
			_, _ = io.Copy(s, s) // the other end finds what is missing
			s.Close()
		}
	}()
	w.net.kind = faulty(seed, 2)
	alice := w.dial("alice", nil)
	bob := w.dial("bob", nil)
	bob.Handle("up", atBob.take)
	go bob.Run(ctx)
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)

	random := rand.New(rand.NewPCG(seed, 2))
	var sending sync.WaitGroup
	failed := make(chan error, 10)
	try := func(what string, err error) bool {
		if err != nil {
			failed <- fmt.Errorf("%s: %w", what, err)
		}
		return err == nil
	}
	sizes := make([]int, messages)
	for i := range sizes {
		sizes[i] = random.IntN(2000)
	}
	for what, c := range map[string]channel.Conn{"to the server": alice, "to bob": p} {
		sending.Go(func() {
			for i, size := range sizes {
				if !try(what, c.Send(ctx, "up", numbered(i, size))) {
					return
				}
			}
			try(what, c.Flush(ctx))
		})
	}
	sending.Go(func() {
		for i := range 30 {
			m, err := alice.Request(ctx, "ask", numbered(i, 100))
			if !try("request", err) || string(m.Body) != string(numbered(i, 100)) {
				return
			}
		}
	})
	sent := make([]byte, 300<<10)
	for i := range sent {
		sent[i] = byte(i * i >> 5)
	}
	var got []byte
	sending.Go(func() {
		s, err := alice.OpenStream(ctx, "copy")
		if !try("stream", err) {
			return
		}
		defer s.Close()
		sending.Go(func() {
			_, err := s.Write(sent)
			try("write", err)
			try("end", s.(interface{ CloseWrite() error }).CloseWrite())
		})
		got, err = io.ReadAll(s)
		try("read", err)
	})
	sending.Wait()
	close(failed)
	require.NoError(t, <-failed)
	require.Equal(t, upTo(messages), atServer.taken())
	require.Equal(t, upTo(messages), atBob.taken())
	require.Equal(t, sent, got)
	require.Greater(t, w.net.connections(), 10)
	require.Equal(t, 1, alice.State().Session)
	require.Equal(t, 1, bob.State().Session)
	w.net.heal()
	require.NoError(t, alice.Close())
	require.NoError(t, bob.Close())
}

// TestNothingNoticed cuts the connection under calls that wait.
func TestNothingNoticed(t *testing.T) {
	for _, transient := range []bool{false, true} {
		bubble(t, func(t *testing.T) { testNothingNoticed(t, transient) })
	}
}

func testNothingNoticed(t *testing.T, transient bool) {
	ctx := t.Context()
	asked, answer := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(s *server.Server) {
		s.Handler.Handle("ask", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			close(asked)
			<-answer
			return m.Reply(ctx, []byte("now"))
		})
	}, "alice")
	alice := w.dial("alice", func(c *client.Config) { c.Transient = transient })
	got := make(chan error, 1)
	go func() {
		m, err := alice.Request(ctx, "ask", nil)
		if err == nil && string(m.Body) != "now" {
			err = fmt.Errorf("another answer: %q", m.Body)
		}
		got <- err
	}()
	<-asked
	w.net.fail(true)
	s := await(t, alice, phase(client.Resuming))
	require.Equal(t, 1, s.Session)
	require.Error(t, s.Err)
	require.NoError(t, alice.Context().Err())
	close(answer)
	<-time.After(time.Minute) // of the bubble, and within the grace
	w.net.fail(false)
	require.NoError(t, <-got)
	require.Equal(t, 1, alice.State().Session)
}
