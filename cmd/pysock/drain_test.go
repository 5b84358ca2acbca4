package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
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
