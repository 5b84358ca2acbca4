package main

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/examples/internal/extest"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
)

func TestMain(m *testing.M) {
	extest.RunAsExample(main)
	goleak.VerifyTestMain(m)
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	return ln.Addr().String()
}

func TestEcho(t *testing.T) {
	hub, alice := testworld.NewKey(t, "hub"), testworld.NewKey(t, "alice")
	hub.Listen = freeAddress(t)
	hub.Clients = map[string]keys.PublicKey{"alice": alice.Public}
	p := extest.Start(t, extest.Files(t, map[string]*keys.File{"server": hub}))
	require.Equal(t, hub.Listen, p.After("listening on "))
	alice.Server = &keys.ServerRef{Address: hub.Listen, Key: hub.Public}

	patience, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var c *client.Client
	for { // it says so before it does
		var err error
		if c, err = client.Dial(t.Context(), "", &client.Config{Keys: alice}); err == nil {
			break
		}
		require.ErrorAs(t, err, new(*net.OpError))
		require.NoError(t, patience.Err(), "%v", err)
	}
	defer c.Close()
	require.NoError(t, c.Send(t.Context(), "test", []byte("Hello, World!")))
	m, err := c.Receive(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "server", m.From.Name)
	assert.Equal(t, "test", m.Channel)
	assert.Equal(t, "Hello, World!", string(m.Body))
	assert.Contains(t, p.Line(), `alice says "Hello, World!"`)
}

// TestNotForAClientsFile: it does not serve at an address of its own choice.
func TestNotForAClientsFile(t *testing.T) {
	p := extest.Start(t, extest.Files(t, map[string]*keys.File{"server": testworld.NewKey(t, "alice")}))
	require.Empty(t, p.After("listening on "))
	assert.Contains(t, p.Line(), "server: no address: give one")
}
