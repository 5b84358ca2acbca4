package flow

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Growth never takes what a large message may need.
func TestPool(t *testing.T) {
	p := NewPool(1000)
	require.True(t, p.grow(GrowShare))
	require.False(t, p.grow(1))
	require.True(t, p.Take(1000))
	require.False(t, p.Take(1))
	p.Give(1000)
	require.EqualValues(t, GrowShare, p.Used())
	p.Give(GrowShare)
	require.True(t, p.Take(GrowShare+1000))
	require.False(t, p.grow(1))
	require.False(t, p.Take(1<<64-1), "no overflow")
}
