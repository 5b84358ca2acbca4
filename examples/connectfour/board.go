package main

import (
	"fmt"
	"strings"
)

const (
	columns = 7
	rows    = 6
	toWin   = 4
)

// board has the discs of each column, from the bottom up: the numbers of those who put them there.
type board [columns][]int

func (b *board) Play(player, column int) error {
	if column < 1 || column > columns {
		return fmt.Errorf("there is no column %d", column)
	}
	if len(b[column-1]) == rows {
		return fmt.Errorf("column %d is full", column)
	}
	b[column-1] = append(b[column-1], player)
	return nil
}

// at is who has a place, -1 for nobody. It may be beside the board.
func (b *board) at(column, row int) int {
	if column < 0 || column >= columns || row < 0 || row >= len(b[column]) {
		return -1
	}
	return b[column][row]
}

func (b *board) Over() (winner int, over bool) {
	discs := 0
	for column := range b {
		for row, player := range b[column] {
			discs++
			for _, d := range [4][2]int{{1, 0}, {0, 1}, {1, 1}, {1, -1}} { // right, up, and both diagonals
				n := 1
				for n < toWin && b.at(column+n*d[0], row+n*d[1]) == player {
					n++
				}
				if n == toWin {
					return player, true
				}
			}
		}
	}
	return -1, discs == columns*rows
}

// String draws the board as it stands, with the columns' numbers below.
func (b *board) String() string {
	var s strings.Builder
	for row := rows - 1; row >= 0; row-- {
		for column := range b {
			s.WriteString(map[int]string{-1: "· ", 0: "● ", 1: "○ "}[b.at(column, row)])
		}
		s.WriteString("\n")
	}
	return s.String() + "1 2 3 4 5 6 7\n"
}
