package link

import (
	"context"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// streams is a pair of links with a listener at the second.
func streams(t *testing.T) (a, b *Link, ln *Listener) {
	t.Helper()
	var ls Listeners
	ln, err := ls.Listen("s")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	a, b = pair(t, nil, &Config{Listeners: &ls, MaxStreams: backlog + 4})
	return a, b, ln
}

func TestOpenStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, ln := streams(t)
		_, err := a.OpenStream(t.Context(), "nobody")
		require.ErrorIs(t, err, channel.CodeNoListener)
		_, err = b.OpenStream(t.Context(), "s")
		require.ErrorIs(t, err, channel.CodeNoListener, "there are no listeners at all")
		for range backlog {
			_, err = a.OpenStream(t.Context(), "s")
			require.NoError(t, err)
		}
		_, err = a.OpenStream(t.Context(), "s")
		require.ErrorIs(t, err, channel.CodeBusy)
		for range 4 {
			p, err := ln.Accept()
			require.NoError(t, err)
			defer p.Close()
			_, err = a.OpenStream(t.Context(), "s")
			require.NoError(t, err)
		}
		p, _ := ln.Accept()
		_, err = a.OpenStream(t.Context(), "s")
		require.ErrorIs(t, err, channel.CodeBusy, "more than MaxStreams")
		_, err = ln.set.Listen("s")
		require.Error(t, err)
		require.Equal(t, "s", ln.Addr().String())
		ln.set.CloseAll()
		require.NoError(t, ln.Close())
		_, err = ln.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		p.(*Stream).CloseWithReason(channel.CodeGone, "")
		synctest.Wait()
		a.mu.Lock()
		open := slices.Collect(maps.Values(a.streams))
		a.mu.Unlock()
		for _, s := range open {
			_ = s.(*Stream).Close()
		}
		synctest.Wait()
		_, err = a.OpenStream(t.Context(), "s")
		require.ErrorIs(t, err, channel.CodeNoListener)
	})
}

func TestOpenStreamGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := l.OpenStream(ctx, "s"); done <- err }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Equal(t, []string{"OPEN 2", "RESET 2 code 8", "STOP 2 code 8"}, r.lines())
		r.write(empty(wire.TypeAccept, 2), data(2, 100), reason(wire.TypeReset, 2, 8))
		require.Empty(t, r.lines())
		require.Empty(t, l.streams)
	})
}

func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, ln := streams(t)
		s, err := a.OpenStream(t.Context(), "s")
		require.NoError(t, err)
		p, err := ln.Accept()
		require.NoError(t, err)
		require.Equal(t, "a/s", p.RemoteAddr().String())
		require.Equal(t, "pysock", p.LocalAddr().Network())
		_, err = s.Write([]byte("question"))
		require.NoError(t, err)
		require.NoError(t, s.CloseWrite())
		_, err = s.Write(nil)
		require.ErrorIs(t, err, net.ErrClosed)
		got, err := io.ReadAll(p)
		require.NoError(t, err)
		require.Equal(t, "question", string(got))
		_, err = p.Write([]byte("answer"))
		require.NoError(t, err)
		require.NoError(t, p.Close())
		got, err = io.ReadAll(s)
		require.NoError(t, err)
		require.Equal(t, "answer", string(got))
		synctest.Wait()
		require.Empty(t, a.streams)
		require.Empty(t, b.streams)
	})
}

// What is given up after CloseWrite is dropped all the same, if it has not left.
func TestGiveUpAfterCloseWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := againstOver(t, memnet.Config{Buffer: 10}, nil)
		s, err := l.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
		require.NoError(t, err)
		synctest.Wait()
		_, err = s.Write(make([]byte, 50000))
		require.NoError(t, err)
		require.NoError(t, s.CloseWrite())
		s.CloseWithReason(300, "")
		require.Equal(t, []string{"OPEN 2", "RESET 2 code 300", "STOP 2 code 300"}, r.lines())
		require.Zero(t, l.Queued())
	})
}

func TestStreamWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{StreamWindow: 200000, OpenPipe: func(s *Stream, _ wire.PipeOpen) {}})
		r.write((&wire.PipeOpen{Opener: "a", Target: "b"}).Append(nil, 1))
		synctest.Wait()
		s := l.streams[1].(*Stream)
		allowed, read, windows := 0, 0, []string{}
		for _, want := range []int{65536, 65536/2 + 131072} {
			r.write(data(1, want-allowed))
			allowed = want
			for read < allowed {
				n, err := s.Read(make([]byte, 8192))
				require.NoError(t, err)
				read += n
				if lines := r.lines(); len(lines) > 0 {
					windows = append(windows, lines...)
					break
				}
			}
		}
		require.Equal(t, []string{"WINDOW 1 163840", "WINDOW 1 298304"}, windows)
	})
}

func TestDeadlineTimersEndWithTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, end := range map[string]func(s *Stream){
			"close":  func(s *Stream) { _ = s.Close() },
			"reason": func(s *Stream) { s.CloseWithReason(300, "") },
			"lost":   func(s *Stream) { s.link.Cut(io.EOF) },
		} {
			l, _ := against(t, nil)
			s, err := l.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
			require.NoError(t, err)
			require.NoError(t, s.SetDeadline(time.Now().Add(time.Hour)))
			done := make(chan error, 2)
			go func() { _, err := s.Read(make([]byte, 1)); done <- err }()
			go func() { _, err := s.Write(make([]byte, 1<<20)); done <- err }()
			synctest.Wait()
			require.NotNil(t, s.readDeadline.timer)
			require.NotNil(t, s.writeDeadline.timer)
			end(s)
			require.Error(t, <-done)
			require.Error(t, <-done)
			require.Nil(t, s.readDeadline.timer, name)
			require.Nil(t, s.writeDeadline.timer, name)
		}
		l, _ := against(t, nil)
		s, err := l.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
		require.NoError(t, err)
		begin := time.Now()
		require.NoError(t, s.SetWriteDeadline(begin.Add(time.Minute)))
		n, err := s.Write(make([]byte, 100000))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 65536, n)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}
