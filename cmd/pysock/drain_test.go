package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/server"
)

// TestDrainTakesTooLong has a handler that does not end before the session is cut.
func TestDrainTakesTooLong(t *testing.T) {
	files, err := family([]string{"alice"}, defaultAddress)
	require.NoError(t, err)
	entered := make(chan struct{})
	mux := new(channel.Mux)
	mux.Handle("slow", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	})
	srv := &server.Server{Keys: files[0], Handler: mux, DrainTimeout: time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	signals, stderr := make(chan os.Signal, 1), newNotes()
	var served error
	var both sync.WaitGroup
	both.Go(func() { served = new(serveArgs).serve(&env{stderr: stderr}, srv, ln, signals) })
	c, err := client.Dial(context.Background(), ln.Addr().String(), &client.Config{Keys: files[1]})
	require.NoError(t, err)
	defer c.Close()
	both.Go(func() {
		_, err := c.Request(context.Background(), "slow", nil)
		assert.Error(t, err)
	})
	<-entered
	signals <- syscall.SIGTERM
	both.Wait()
	assert.EqualError(t, served, "not drained in 10s: connections were cut")
	assert.Equal(t, "stopping: sessions have 10 s to end and are told when to come back; another signal cuts them\n", stderr.String())
}

// TestDrainTellsWhoWasCut has a client that does not hear the goodbye, and one that does.
func TestDrainTellsWhoWasCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files, err := family([]string{"alice", "bob"}, defaultAddress)
		require.NoError(t, err)
		srv := &server.Server{Keys: files[0], Logger: slog.New(slog.DiscardHandler)}
		ln := newPipeListener()
		signals, stderr := make(chan os.Signal, 1), newNotes()
		var served error
		var serving sync.WaitGroup
		serving.Go(func() { served = new(serveArgs).serve(&env{stderr: stderr}, srv, ln, signals) })
		var clients []*client.Client
		var raw *memnet.Conn
		for _, f := range files[1:] {
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := ln.dial(ctx, network, address)
				if err == nil {
					raw = conn.(*memnet.Conn)
				}
				return conn, err
			}
			c, err := client.Dial(t.Context(), "", &client.Config{Keys: f, DialContext: dial})
			require.NoError(t, err)
			clients = append(clients, c)
		}
		raw.Stall() // bob's
		signals <- syscall.SIGTERM
		serving.Wait()
		require.NoError(t, served)
		assert.Equal(t, "stopping: sessions have 10 s to end and are told when to come back; another signal cuts them\n"+
			"stopped; sessions that were cut because their clients did not answer: 1\n", stderr.String())
		for _, c := range clients {
			_ = c.Close()
		}
	})
}

// pipeListener listens for connections that tests make.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// dial is a client's DialContext.
func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	near, far := memnet.Pipe(memnet.Config{})
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return memnet.Addr("hub") }
