package flow

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWindowGrowsWhileItsApplicationKeepsUp(t *testing.T) {
	p := NewPool(1 << 20)
	w := NewWindow()
	require.EqualValues(t, Guaranteed/2, w.ReportAt())
	size := uint64(Guaranteed)
	for range 10 {
		w.Open(w.Taken+size, p, true)
		size = min(2*size, MaxWindow)
		require.Equal(t, w.Taken+size, w.Allowed)
		require.Equal(t, size-Guaranteed, p.Used())
		require.Equal(t, w.Taken+size/2, w.ReportAt())
	}
	w.Release(p)
	require.Zero(t, p.Used())
}

func TestWindowDoesNotGrow(t *testing.T) {
	p := NewPool(1 << 20)
	w := NewWindow()
	w.Open(Guaranteed-1, p, true)
	require.EqualValues(t, 2*Guaranteed-1, w.Allowed, "less than a window was taken")
	w.Open(10*Guaranteed, p, false)
	require.EqualValues(t, 11*Guaranteed, w.Allowed, "it may not")
	require.Zero(t, p.Used())
	require.True(t, p.Take(GrowShare))
	w.Open(20*Guaranteed, p, true)
	require.EqualValues(t, 21*Guaranteed, w.Allowed, "the pool has nothing")
	w.Open(1, p, true)
	require.EqualValues(t, 20*Guaranteed, w.Taken, "totals do not go back")
}

func TestGrant(t *testing.T) {
	p := NewPool(10 * Guaranteed)
	w, v := NewWindow(), NewWindow()
	require.True(t, w.Announce(100, Guaranteed-99))
	require.False(t, w.Announce(100, 200000), "one at a time")
	require.True(t, w.Grant(p))
	require.EqualValues(t, Guaranteed+1, w.Allowed)
	require.EqualValues(t, 1, p.Used())
	require.True(t, v.Announce(0, 10*Guaranteed))
	require.True(t, p.Take(GrowShare+Guaranteed))
	require.False(t, v.Grant(p), "it does not fit")
	p.Give(Guaranteed)
	require.True(t, v.Grant(p))
	v.Open(10*Guaranteed, p, true)
	w.Release(p)
	v.Release(p)
	require.EqualValues(t, GrowShare, p.Used())
}

// The pool is used by exactly what windows hold beyond the guarantee, and never by more than its size.
func TestPoolHoldsWhatWindowsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const maxMessage = 3 << 20
		p := NewPool(maxMessage)
		windows := make([]Window, 8)
		received := make([]uint64, len(windows))
		announced := map[int]bool{}
		for i := range windows {
			windows[i] = NewWindow()
		}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			i := rapid.IntRange(0, len(windows)-1).Draw(t, "window")
			w := &windows[i]
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0: // messages come
				received[i] += rapid.Uint64Range(0, w.Allowed-received[i]).Draw(t, "received")
			case 1: // and are taken
				w.Open(rapid.Uint64Range(w.Taken, received[i]).Draw(t, "taken"), p, len(announced) == 0)
			case 2:
				cost := rapid.Uint64Range(Guaranteed+1, maxMessage).Draw(t, "cost")
				waits := announced[i] && w.want > w.Allowed
				if w.Announce(received[i], cost) == waits {
					t.Fatal("one announcement at a time")
				}
				announced[i] = true
			case 3:
				if announced[i] && w.Grant(p) {
					delete(announced, i)
				}
			}
			held := uint64(0)
			for i := range windows {
				if windows[i].Allowed < windows[i].Taken+Guaranteed || windows[i].Allowed < received[i] {
					t.Fatalf("window %d is smaller than what is guaranteed: %+v", i, windows[i])
				}
				held += windows[i].Allowed - windows[i].Taken - Guaranteed
			}
			if p.Used() != held || held > maxMessage+GrowShare {
				t.Fatalf("the pool says %d, windows hold %d", p.Used(), held)
			}
		}
		// When all is taken, whoever waits gets its turn.
		for i := range windows {
			windows[i].Open(windows[i].Allowed, p, false)
		}
		for i := range announced {
			if !windows[i].Grant(p) {
				t.Fatal("the pool is empty and does not serve an announcement")
			}
			windows[i].Open(windows[i].Allowed, p, false)
		}
		for i := range windows {
			windows[i].Release(p)
		}
		if p.Used() != 0 {
			t.Fatalf("%d are left", p.Used())
		}
	})
}

// What a handler has in its hands stays in the books, also when its channel has been refused meanwhile.
func TestHoldOutlivesItsWindow(t *testing.T) {
	p := NewPool(10 * Guaranteed)
	w := NewWindow()
	require.True(t, w.Announce(0, 10*Guaranteed))
	require.True(t, w.Grant(p))
	require.EqualValues(t, Guaranteed, w.Ordinary, "a grant is for a large message")
	w.Hold(10 * Guaranteed)
	require.EqualValues(t, 9*Guaranteed, p.Used(), "counted once")
	w.Open(10*Guaranteed, p, false)
	require.EqualValues(t, 11*Guaranteed, w.Ordinary)
	require.EqualValues(t, 9*Guaranteed, p.Used())
	w.Release(p)
	require.EqualValues(t, 9*Guaranteed, p.Used())
	w.Drop(10*Guaranteed, p)
	require.Zero(t, p.Used())
}
