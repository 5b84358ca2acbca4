package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// after is the board after the columns, played in turn.
func after(t *testing.T, columns ...int) *board {
	t.Helper()
	b := new(board)
	for i, column := range columns {
		_, over := b.Over()
		require.False(t, over, "before move %d", i)
		require.NoError(t, b.Play(i%2, column))
	}
	return b
}

func TestOver(t *testing.T) {
	for name, c := range map[string]struct {
		columns []int
		winner  int
		over    bool
	}{
		"empty":        {nil, -1, false},
		"column":       {[]int{1, 2, 1, 2, 1, 2, 1}, 0, true},
		"second":       {[]int{1, 7, 2, 7, 1, 7, 2, 7}, 1, true},
		"row":          {[]int{1, 1, 2, 2, 4, 4, 3}, 0, true},
		"row at right": {[]int{7, 7, 6, 6, 5, 5, 4}, 0, true},
		"upwards":      {[]int{1, 2, 2, 3, 3, 4, 3, 4, 4, 6, 4}, 0, true},
		"downwards":    {[]int{7, 6, 6, 5, 5, 4, 5, 4, 4, 2, 4}, 0, true},
		"three":        {[]int{1, 2, 1, 2, 1}, -1, false},
		"not around":   {[]int{6, 6, 7, 7, 1, 1, 2, 2}, -1, false},
	} {
		winner, over := after(t, c.columns...).Over()
		assert.Equal(t, c.winner, winner, name)
		assert.Equal(t, c.over, over, name)
	}
}

// TestDraw fills the board in an order in which nobody gets four.
func TestDraw(t *testing.T) {
	b := new(board)
	for column := range columns {
		for row := range rows {
			require.NoError(t, b.Play((row/2+column)%2, column+1))
		}
	}
	winner, over := b.Over()
	assert.Equal(t, -1, winner)
	assert.True(t, over)
}

// TestEveryFour counts the fours that win: 24 in rows, 21 in columns, 12 in each direction of diagonals.
func TestEveryFour(t *testing.T) {
	won := 0
	for column := range columns {
		for row := range rows {
			for _, d := range [][2]int{{1, 0}, {0, 1}, {1, 1}, {1, -1}} {
				lastColumn, lastRow := column+3*d[0], row+3*d[1]
				if lastColumn >= columns || lastRow >= rows || lastRow < 0 {
					continue
				}
				b := filled()
				for n := range toWin {
					b[column+n*d[0]][row+n*d[1]] = 1
				}
				winner, over := b.Over()
				assert.True(t, over)
				assert.Equal(t, 1, winner)
				b[column+2*d[0]][row+2*d[1]] = 99 // one of the four is someone else's
				winner, _ = b.Over()
				assert.Equal(t, -1, winner)
				won++
			}
		}
	}
	assert.Equal(t, 24+21+12+12, won)
}

// filled is a full board on which each disc is of another player, so that none has four.
func filled() *board {
	b, player := new(board), 100
	for column := range b {
		for range rows {
			b[column] = append(b[column], player)
			player++
		}
	}
	return b
}

func TestIllegal(t *testing.T) {
	b := after(t, 3, 3, 3, 3, 3, 3)
	assert.EqualError(t, b.Play(0, 3), "column 3 is full")
	for _, column := range []int{0, 8, -1, 1 << 40} {
		assert.ErrorContains(t, b.Play(0, column), "there is no column")
	}
	assert.Equal(t, after(t, 3, 3, 3, 3, 3, 3), b)
}

func TestString(t *testing.T) {
	assert.Equal(t, ""+
		"· · · · · · · \n"+
		"· · · · · · · \n"+
		"· · · · · · · \n"+
		"· · · · · · · \n"+
		"· · ○ · · · · \n"+
		"· · ● · · · ● \n"+
		"1 2 3 4 5 6 7\n", after(t, 3, 3, 7).String())
}
