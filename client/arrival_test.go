package client

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOnlineWhenTold: who hears that the client is online finds a connection there, also with FailOffline.
func TestOnlineWhenTold(t *testing.T) {
	c := &Client{}
	c.keeper = &keeper{client: c, dialer: &dialer{addresses: []string{"hub:1"}}, session: &session{number: 1}}
	c.states.mu.Lock() // nobody is told yet
	told := make(chan struct{})
	go func() {
		c.keeper.online()
		close(told)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // nothing else would end a test that fails
	defer cancel()
	there := c.here.await(ctx, context.Background())
	c.states.mu.Unlock()
	<-told
	require.NoError(t, there)
	now, _ := c.states.get()
	require.Equal(t, Online, now.Phase)
}
