package client_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
)

// TestRestarts sends through a pipe while the server is killed and drained again and again, and
// connections fail in between. The two applications live.
func TestRestarts(t *testing.T) {
	for seed := range uint64(6) {
		for name, delivery := range map[string]client.Delivery{"at least once": client.AtLeastOnce, "at most once": client.AtMostOnce} {
			t.Run(fmt.Sprint("seed ", seed, ", ", name), func(t *testing.T) {
				bubble(t, func(t *testing.T) { testRestarts(t, seed, delivery) })
			})
		}
	}
}

func testRestarts(t *testing.T, seed uint64, delivery client.Delivery) {
	const messages = 400
	ctx := t.Context()
	var atBob record
	w := newWorld(t, nil, "alice", "bob")
	set := func(c *client.Config) { c.Delivery = delivery }
	alice, bob := w.dial("alice", set), w.dial("bob", set)
	bob.Handle("up", atBob.take)
	go bob.Run(ctx)
	p, err := alice.PipeTo(ctx, "bob")
	require.NoError(t, err)

	done := make(chan struct{})
	disturbed := make(chan int)
	go func() {
		n, random := 0, rand.New(rand.NewPCG(seed, 3))
		for {
			select {
			case <-done:
				disturbed <- n
				return
			case <-time.After(time.Duration(random.IntN(8000)) * time.Millisecond):
			}
			n++
			switch random.IntN(3) {
			case 0:
				w.net.cut()
			case 1:
				w.restart(nil)
			case 2:
				if err := w.srv.Shutdown(ctx); err != nil {
					panic(err)
				}
				w.restart(nil)
			}
		}
	}()

	var accepted, acked []uint32
	gaps, random := 0, rand.New(rand.NewPCG(seed, 4))
	for i := range messages {
		var err error
		if i%10 == 0 {
			err = p.SendAcked(ctx, "up", numbered(i, 500))
		} else {
			err = p.Send(ctx, "up", numbered(i, 500))
		}
		var gap *channel.GapError
		switch {
		case err == nil:
			accepted = append(accepted, uint32(i))
			if i%10 == 0 {
				acked = append(acked, uint32(i))
			}
		case delivery == client.AtMostOnce && errors.As(err, &gap):
			gaps++
		default:
			t.Fatal(i, err)
		}
		<-time.After(time.Duration(random.IntN(400)) * time.Millisecond)
	}
	err = p.Flush(ctx)
	close(done)
	require.Greater(t, <-disturbed, 10)
	require.Greater(t, alice.State().Session, 3)
	taken := atBob.taken()
	if delivery == client.AtLeastOnce {
		require.NoError(t, err)
		require.Equal(t, accepted, taken)
		require.Len(t, taken, messages)
		return
	}
	require.Positive(t, gaps)
	require.True(t, slices.IsSorted(taken))
	require.Len(t, slices.Compact(slices.Clone(taken)), len(taken))
	require.Subset(t, taken, acked)
}
