package link

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/wire"
)

// STOP is answered here: the stream ends for who has said it, whatever the other side does.
func TestRelayAnswersStop(t *testing.T) {
	t.Run("the target refuses", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t)
			a, b := h.rawClient("a", 1<<20), h.rawClient("b", 1<<20)
			a.write(pipeOpen.Append(nil, 1), data(1, 100))
			b.read()
			b.write(reason(wire.TypeReset, 2, 14), reason(wire.TypeStop, 2, 14))
			require.Equal(t, []string{"RESET 2 code 14"}, b.lines())
			require.Equal(t, []string{"RESET 1 code 14", "STOP 1 code 14"}, a.lines())
			require.Zero(t, h.here.Load())
			require.EqualValues(t, 1, h.there.Load())
			a.write(data(1, 60000), wire.AppendWindow(nil, 1, 1<<20), reason(wire.TypeStop, 1, 0))
			require.Empty(t, b.lines(), "it is closed there")
			require.Zero(t, h.links["b"].Queued())
			require.Equal(t, []string{}, a.lines())
			a.write(empty(wire.TypeEnd, 1))
			h.requireForgotten()
			h.requireClosed(1)
			require.Empty(t, b.lines())
		})
	})
	t.Run("the opener gives up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t)
			a, b := h.rawClient("a", 1<<20), h.rawClient("b", 1<<20)
			a.write(pipeOpen.Append(nil, 1), reason(wire.TypeReset, 1, 8), reason(wire.TypeStop, 1, 8))
			require.Equal(t, []string{"RESET 1 code 8"}, a.lines())
			require.EqualValues(t, 1, h.here.Load())
			require.Zero(t, h.there.Load())
			require.Equal(t, []string{"OPEN 2", "RESET 2 code 8", "STOP 2 code 8"}, b.lines())
			require.Zero(t, h.answered.Load())
			b.write(empty(wire.TypeAccept, 2), data(2, 10), wire.AppendWindow(nil, 2, 1<<20))
			require.Empty(t, a.lines(), "they have crossed")
			b.write(reason(wire.TypeReset, 2, 8))
			require.Empty(t, a.lines())
			h.requireForgotten()
			h.requireClosed(1)
		})
	})
	t.Run("accepted after STOP", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t)
			a, b := h.rawClient("a", 1<<20), h.rawClient("b", 1<<20)
			a.write(pipeOpen.Append(nil, 1), reason(wire.TypeStop, 1, 8))
			require.Equal(t, []string{"RESET 1 code 8"}, a.lines())
			b.write(empty(wire.TypeAccept, 2))
			require.Empty(t, a.lines(), "ACCEPT after RESET would be a breach")
			a.write(data(1, 5), empty(wire.TypeEnd, 1))
			require.Equal(t, []string{"OPEN 2", "STOP 2 code 8", "DATA 2", "END 2"}, b.lines(), "the other direction goes on")
		})
	})
	t.Run("instead of an END that waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t)
			a, b := h.rawClient("a", 1<<20), h.rawClient("b", 1<<20)
			b.silent = true
			for i := range uint32(4) {
				a.write(pipeOpen.Append(nil, 1+2*i), data(1+2*i, 64<<10), empty(wire.TypeEnd, 1+2*i))
			}
			b.read()
			require.NotZero(t, h.links["b"].Queued())
			for i := range uint32(4) {
				b.write(reason(wire.TypeStop, 2+2*i, 300))
			}
			synctest.Wait()
			require.Zero(t, h.links["b"].Queued())
			require.Contains(t, b.lines(), "RESET 8 code 300")
			for i := range uint32(4) {
				b.write(empty(wire.TypeEnd, 2+2*i))
			}
			h.requireForgotten()
			h.requireClosed(4)
		})
	})
}

// Data in small pieces takes no more room in the queue than in large ones, and arrives as it was sent.
func TestRelayOfSmallPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		a, b := h.rawClient("a", 4<<20), h.rawClient("b", 4<<20)
		b.silent = true
		a.write(pipeOpen.Append(nil, 1))
		b.read()
		b.write(wire.AppendWindow(nil, 2, 5<<20))
		require.Equal(t, []string{"WINDOW 1 131072"}, a.lines())
		for i := range relayWindow {
			a.write(wire.AppendData(nil, 1, []byte{byte(i % 251)}))
		}
		a.write(empty(wire.TypeEnd, 1))
		synctest.Wait()
		require.LessOrEqual(t, h.links["b"].Queued(), relayWindow+relayWindow/1024)
		b.silent = false
		n := 0
		for _, f := range b.read() {
			if f.Type != wire.TypeData {
				continue
			}
			for _, c := range f.p {
				require.Equal(t, byte(n%251), c)
				n++
			}
		}
		require.Equal(t, relayWindow, n)
	})
}
