package link

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Claims by many at once give each number to one of them.
func TestClaim(t *testing.T) {
	var b inBook
	const numbers, first = 20000, 100
	b.mark.Store(first)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := make(map[uint64]int)
	for range 4 {
		wg.Go(func() {
			for n := uint64(first); n < numbers; n++ {
				if missed, fresh := b.claim(n, first); fresh {
					mu.Lock()
					got[n]++
					mu.Unlock()
					if missed > 0 {
						t.Errorf("%d missed before %d", missed, n)
					}
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, got, numbers-first)
	require.Empty(t, b.holes)
}

func TestClaimOutOfOrder(t *testing.T) {
	var b inBook
	claim := func(number, first uint64) string {
		missed, fresh := b.claim(number, first)
		return fmt.Sprint(missed, fresh)
	}
	require.Equal(t, "0 true", claim(0, 0))
	require.Equal(t, "0 true", claim(5, 0), "those before it wait for a handler")
	require.Equal(t, "0 true", claim(3, 0))
	require.False(t, b.taken(4))
	require.True(t, b.taken(3))
	require.Equal(t, "0 false", claim(3, 0))
	require.Equal(t, "0 false", claim(5, 0))
	require.Equal(t, []hole{{1, 3}, {4, 5}}, b.holes)
	require.Equal(t, "1 true", claim(4, 2), "1 is not sent again")
	require.Equal(t, "0 true", claim(2, 2))
	require.Empty(t, b.holes)
	require.Equal(t, "0 true", claim(6, 2))
	require.Equal(t, "0 true", claim(8, 2))
	require.Equal(t, "2 true", claim(10, 10), "7 and 9 are lost")
	require.Empty(t, b.holes)
	require.False(t, b.holed.Load())
}
