package wakeup

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func rung(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestBell(t *testing.T) {
	var b Bell
	b.Ring() // nobody waits, and nobody who comes later hears of it
	first, second := b.Wait(), b.Wait()
	require.False(t, rung(first))
	b.Ring()
	require.True(t, rung(first))
	require.True(t, rung(second), "all who wait are woken")
	later := b.Wait()
	require.False(t, rung(later))
	b.Ring()
	b.Ring()
	require.True(t, rung(later))
}

func TestBellThatNobodyWaitsForCostsNothing(t *testing.T) {
	var b Bell
	require.Zero(t, testing.AllocsPerRun(10, b.Ring))
	b.Wait()
	require.Zero(t, testing.AllocsPerRun(10, func() { b.Wait() }), "who waits for the same waits at the same channel")
}
