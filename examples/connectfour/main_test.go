package main

import (
	"strconv"
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

// TestGame plays one game, which the player who does not begin wins.
func TestGame(t *testing.T) {
	first, second := extest.Players(t, extest.Files(t, testworld.New(t, []string{"alice", "bob"}, nil).Files))
	me, other := first, second
	for i, column := range []int{1, 4, 1, 5, 1, 6, 2, 3} {
		me.Until("Your move (a column, 1 to 7):")
		if i == 0 {
			me.Type("8") // refused here, before the other is asked
			assert.Equal(t, "No: there is no column 8. Again:", me.Line())
		}
		me.Type(strconv.Itoa(column))
		other.Until(me.Name + " plays " + strconv.Itoa(column) + ".")
		me, other = other, me
	}
	const last = "" +
		"· · · · · · · \n" +
		"· · · · · · · \n" +
		"· · · · · · · \n" +
		"● · · · · · · \n" +
		"● · · · · · · \n" +
		"● ● ○ ○ ○ ○ · \n" +
		"1 2 3 4 5 6 7\n"
	assert.Equal(t, last+"You win.\n", second.Wait())
	assert.Equal(t, last+second.Name+" wins.\n", first.Wait())
}
