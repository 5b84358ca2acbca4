package stranger

import (
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

// our dials with the module's client, which ends with its session.
func (w *world) our(name string, mux *channel.Mux) *client.Client {
	return w.ourWith(name, mux, func(cfg *client.Config) { cfg.NoReconnect = true })
}

func (w *world) ourWith(name string, mux *channel.Mux, change func(*client.Config)) *client.Client {
	f := *w.people[name].file
	f.Server = &keys.ServerRef{Address: w.address, Key: w.hub.file.Public}
	cfg := &client.Config{Keys: &f, Handler: mux, Logger: quiet, MaxMessage: maxMessage - messageCost}
	change(cfg)
	c, err := client.Dial(w.t.Context(), "", cfg)
	require.NoError(w.t, err)
	require.Equal(w.t, name, c.Name())
	w.t.Cleanup(func() {
		_ = c.Close()
		c.Wait()
	})
	return c
}
