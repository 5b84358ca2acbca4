package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/examples/internal/extest"
	"github.com/pysock/pysock/internal/testworld"
)

func TestMain(m *testing.M) {
	extest.RunAsExample(main)
	goleak.VerifyTestMain(m)
}

// TestGame plays one game, which the player who begins wins.
func TestGame(t *testing.T) {
	x, o := extest.Players(t, extest.Files(t, testworld.New(t, []string{"alice", "bob"}, nil).Files))
	me, other := x, o
	for _, square := range []int{5, 1, 2, 3, 8} {
		me.Until("Your move (a square, 1 to 9):")
		if square == 1 {
			me.Type("5") // refused here, before the other is asked
			assert.Equal(t, "No: square 5 is taken. Again:", me.Line())
			me.Type("first")
			assert.Equal(t, "No: type a square, 1 to 9. Again:", me.Line())
		}
		me.Type(strconv.Itoa(square))
		other.Until(me.Name + " plays " + strconv.Itoa(square) + ".")
		me, other = other, me
	}
	last := strings.Join([]string{" O | X | O ", "---+---+---", " 4 | X | 6 ", "---+---+---", " 7 | X | 9 ", ""}, "\n")
	assert.Equal(t, last+"You win.\n", x.Wait())
	assert.Equal(t, last+x.Name+" wins.\n", o.Wait())
}

// TestGiveUp ends the input of who begins.
func TestGiveUp(t *testing.T) {
	x, o := extest.Players(t, extest.Files(t, testworld.New(t, []string{"alice", "bob"}, nil).Files))
	x.EndInput()
	assert.Contains(t, x.Wait(), "You give up.\n")
	assert.Contains(t, o.Fails(), x.Name+" has ended the game: ")
}
