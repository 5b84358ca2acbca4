package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// after is the board after the squares, played in turn.
func after(t *testing.T, squares ...int) *board {
	t.Helper()
	b := new(board)
	for i, square := range squares {
		_, over := b.Over()
		require.False(t, over, "before move %d", i)
		require.NoError(t, b.Play(i%2, square))
	}
	return b
}

func TestOver(t *testing.T) {
	for name, c := range map[string]struct {
		squares []int
		winner  int
		over    bool
	}{
		"empty":     {nil, -1, false},
		"row":       {[]int{1, 4, 2, 5, 3}, 0, true},
		"column":    {[]int{1, 3, 2, 6, 4, 9}, 1, true},
		"diagonal":  {[]int{1, 2, 5, 3, 9}, 0, true},
		"other one": {[]int{1, 3, 2, 5, 9, 7}, 1, true},
		"two":       {[]int{1, 4, 2, 5}, -1, false},
		"draw":      {[]int{1, 2, 3, 5, 4, 6, 8, 7, 9}, -1, true},
		"last wins": {[]int{1, 3, 2, 4, 5, 7, 6, 8, 9}, 0, true},
	} {
		winner, over := after(t, c.squares...).Over()
		assert.Equal(t, c.winner, winner, name)
		assert.Equal(t, c.over, over, name)
	}
}

// TestEveryLine counts the three that win, so that no line is missing from the table.
func TestEveryLine(t *testing.T) {
	won := 0
	for a := range 9 {
		for b := range a {
			for c := range b {
				var three board
				three[a], three[b], three[c] = 'O', 'O', 'O'
				if winner, over := three.Over(); over {
					assert.Equal(t, 1, winner)
					won++
				}
			}
		}
	}
	assert.Equal(t, 8, won)
}

func TestIllegal(t *testing.T) {
	b := after(t, 5)
	before := *b
	assert.EqualError(t, b.Play(1, 5), "square 5 is taken")
	for _, square := range []int{0, 10, -1, 1 << 40} {
		assert.ErrorContains(t, b.Play(1, square), "there is no square")
	}
	assert.Equal(t, before, *b)
}

func TestString(t *testing.T) {
	assert.Equal(t, ""+
		" X | 2 | 3 \n"+
		"---+---+---\n"+
		" 4 | O | 6 \n"+
		"---+---+---\n"+
		" 7 | 8 | 9 \n", after(t, 1, 5).String())
}
