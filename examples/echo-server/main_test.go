package main

import (
	"testing"

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

func TestEcho(t *testing.T) {
	hub, alice := testworld.NewKey(t, "hub"), testworld.NewKey(t, "alice")
	hub.Listen = "127.0.0.1:0"
	hub.Clients = map[string]keys.PublicKey{"alice": alice.Public}
	p := extest.Start(t, extest.Files(t, map[string]*keys.File{"server": hub}))
	alice.Server = &keys.ServerRef{Address: p.After("pysock: listening address="), Key: hub.Public}
	c, err := client.Dial(t.Context(), "", &client.Config{Keys: alice})
	require.NoError(t, err)
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
	assert.Contains(t, p.Line(), "server: no address: give one")
}
