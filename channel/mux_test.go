package channel_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// returns is a handler that can be told from others.
func returns(code channel.Code) channel.Handler {
	return func(context.Context, channel.Conn, *channel.Message) error { return code }
}

func codeOf(r *channel.Route) error { return r.Handler(context.Background(), nil, nil) }

func TestMuxRoutes(t *testing.T) {
	var mux channel.Mux
	assert.Nil(t, mux.Route("a"))

	mux.Handle("a", returns(300))
	mux.HandleConcurrent("b", 8, returns(301))
	mux.HandleConcurrent("c", -1, returns(302))
	require.NotNil(t, mux.Route("a"))
	assert.Equal(t, channel.Code(300), codeOf(mux.Route("a")))
	assert.Equal(t, 1, mux.Route("a").Concurrent)
	assert.Equal(t, channel.Code(301), codeOf(mux.Route("b")))
	assert.Equal(t, 8, mux.Route("b").Concurrent)
	assert.Equal(t, 1, mux.Route("c").Concurrent, "less than one at once is one")
	assert.Nil(t, mux.Route("A"), "names match in their exact case")
	assert.Same(t, mux.Route("a"), mux.Route("a"))
}

func TestMuxFallback(t *testing.T) {
	var mux channel.Mux
	mux.Handle("a", returns(300))
	mux.Fallback(returns(301))
	assert.Equal(t, channel.Code(300), codeOf(mux.Route("a")))
	assert.Equal(t, channel.Code(301), codeOf(mux.Route("b")))

	mux.Fallback(returns(302))
	assert.Equal(t, channel.Code(302), codeOf(mux.Route("b")), "a later fallback replaces the first")
	mux.Handle("b", returns(303))
	assert.Equal(t, channel.Code(303), codeOf(mux.Route("b")), "a handler goes before the fallback")

	mux.Fallback(nil)
	assert.Nil(t, mux.Route("c"))
}

func TestMuxVersionChangesWithEveryRegistration(t *testing.T) {
	var mux channel.Mux
	seen := map[uint64]bool{mux.Version(): true}
	for i, register := range []func(){
		func() { mux.Handle("a", returns(300)) },
		func() { mux.HandleConcurrent("b", 2, returns(300)) },
		func() { mux.Fallback(returns(300)) },
		func() { mux.Fallback(nil) },
	} {
		register()
		assert.False(t, seen[mux.Version()], "registration %d", i)
		seen[mux.Version()] = true
	}
	before := mux.Version()
	mux.Route("a")
	assert.Equal(t, before, mux.Version())
}

func TestNilMuxIsEmpty(t *testing.T) {
	var mux *channel.Mux
	assert.Nil(t, mux.Route("a"))
	assert.Zero(t, mux.Version())
}

func TestMistakesOfTheProgramPanic(t *testing.T) {
	var mux channel.Mux
	mux.Handle("taken", returns(300))
	before := mux.Version()
	plain := func(context.Context, channel.Conn, int) error { return nil }
	for name, f := range map[string]func(){
		"empty name":     func() { mux.Handle("", returns(300)) },
		"white space":    func() { mux.Handle("a b", returns(300)) },
		"escape":         func() { mux.Handle("a\x1b[2J", returns(300)) },
		"nil handler":    func() { mux.Handle("a", nil) },
		"taken":          func() { mux.Handle("taken", returns(300)) },
		"typed name":     func() { channel.Of[int]("a b") },
		"typed any":      func() { channel.Of[any]("") },
		"typed nil":      func() { channel.Of[int]("a").Handle(&mux, nil) },
		"typed taken":    func() { channel.Of[int]("taken").Handle(&mux, plain) },
		"respond nil":    func() { channel.Respond[int, int](&mux, "a", nil) },
		"zero Typed":     func() { channel.Typed[int]{}.Handle(&mux, plain) },
		"concurrent nil": func() { mux.HandleConcurrent("a", 4, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				v := recover()
				require.NotNil(t, v)
				assert.Contains(t, fmt.Sprint(v), "channel: ")
				assert.NotContains(t, fmt.Sprint(v), "\x1b")
			}()
			f()
		})
	}
	assert.Nil(t, mux.Route("a"))
	assert.Equal(t, before, mux.Version(), "what panicked registered nothing, and let go of the lock")
}

func TestMuxIsForManyGoroutines(t *testing.T) {
	var mux channel.Mux
	var wg sync.WaitGroup
	const n = 50
	for g := range 4 {
		wg.Go(func() {
			for i := range n {
				mux.Handle(fmt.Sprintf("c%d.%d", g, i), returns(300))
			}
		})
		wg.Go(func() {
			for i := range n {
				// As connections do: a Route that was looked up after its Version may be newer, never older.
				v := mux.Version()
				r := mux.Route(fmt.Sprintf("c%d.%d", g, i))
				if v == 4*n {
					assert.NotNil(t, r)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 4*n, mux.Version())
}
