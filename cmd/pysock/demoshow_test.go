package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestColours has them on a terminal that can show them, for who has not said no.
func TestColours(t *testing.T) {
	for _, c := range []struct {
		terminal      bool
		term, noColor string
		want          bool
	}{
		{true, "xterm", "", true},
		{true, "xterm", "1", false},
		{true, "dumb", "", false},
		{false, "xterm", "", false},
	} {
		env := map[string]string{"TERM": c.term, "NO_COLOR": c.noColor}
		require.Equal(t, c.want, wantsColour(c.terminal, func(name string) string { return env[name] }), "%+v", c)
	}
	for _, colour := range []bool{true, false} {
		var out strings.Builder
		s := &show{out: &out, colour: colour}
		s.title("1. a title")
		require.NoError(t, s.err)
		require.Equal(t, colour, strings.Contains(out.String(), "\x1b[1m1. a title"))
		require.Contains(t, out.String(), "1. a title")
	}
}
