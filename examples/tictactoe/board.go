package main

import (
	"fmt"
	"strings"
)

// lines are the rows, columns and diagonals.
var lines = [8][3]int{{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}}

// board has what is on each square: 'X' of player 0, 'O' of player 1, 0 for nothing.
type board [9]byte

func (b *board) Play(player, square int) error {
	if square < 1 || square > len(b) {
		return fmt.Errorf("there is no square %d", square)
	}
	if b[square-1] != 0 {
		return fmt.Errorf("square %d is taken", square)
	}
	b[square-1] = "XO"[player]
	return nil
}

func (b *board) Over() (winner int, over bool) {
	for _, l := range lines {
		if m := b[l[0]]; m != 0 && m == b[l[1]] && m == b[l[2]] {
			return strings.IndexByte("XO", m), true
		}
	}
	return -1, strings.IndexByte(string(b[:]), 0) < 0
}

// String draws the board, with numbers on the free squares.
func (b *board) String() string {
	var s strings.Builder
	for i, m := range b {
		if m == 0 {
			m = '1' + byte(i)
		}
		s.WriteString(" " + string(rune(m)) + " ")
		switch {
		case i%3 < 2:
			s.WriteString("|")
		case i < 8:
			s.WriteString("\n---+---+---\n")
		}
	}
	return s.String() + "\n"
}
