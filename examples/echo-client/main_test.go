package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/examples/internal/extest"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

func TestMain(m *testing.M) {
	extest.RunAsExample(main)
	goleak.VerifyTestMain(m)
}

func TestEcho(t *testing.T) {
	w := testworld.New(t, []string{"alice"}, func(s *server.Server) {
		s.Handler = new(channel.Mux)
		s.Handler.Handle("test", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			return from.Send(ctx, "test", append([]byte(m.From.Name+" said "), m.Body...))
		})
	})
	p := extest.Start(t, extest.Files(t, w.Files))
	assert.Equal(t, "server on test: \"alice said Hello, World!\"\n", p.Wait())
}
