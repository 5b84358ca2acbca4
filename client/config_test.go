package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
)

// TestBadConfig: what is wrong in a Config is named, before anything is tried.
func TestBadConfig(t *testing.T) {
	for want, change := range map[string]func(*client.Config){
		"Config.KeepAlive is negative":    func(c *client.Config) { c.KeepAlive = -1 },
		"Config.PipeGrace is negative":    func(c *client.Config) { c.PipeGrace = -time.Second },
		"Config.RenewBytes is negative":   func(c *client.Config) { c.RenewBytes = -1 },
		"Config.StreamWindow is negative": func(c *client.Config) { c.StreamWindow = -1 },
		`Config.Addresses[1]: the address "nonsense" is not HOST:PORT`: func(c *client.Config) {
			c.Addresses = []string{"hub:2", "nonsense"}
		},
	} {
		f := testworld.NewKey(t, "alice")
		f.Server = &keys.ServerRef{Address: "hub:1", Key: f.Public}
		cfg := &client.Config{Keys: f}
		change(cfg)
		_, err := client.Dial(t.Context(), "", cfg)
		require.ErrorContains(t, err, want)
	}
	_, err := client.Dial(t.Context(), "nowhere", &client.Config{Keys: testworld.NewKey(t, "alice")})
	require.ErrorContains(t, err, `the address "nowhere" is not HOST:PORT`)
}
