package channel_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

func missed(name string, err error) channel.Unreached {
	return channel.Unreached{Peer: channel.Peer{Name: name}, Err: err}
}

func TestReportErr(t *testing.T) {
	assert.NoError(t, channel.Report{}.Err(), "nobody was to be reached")
	assert.NoError(t, channel.Report{Reached: 5}.Err())
	busy := &channel.Error{Code: channel.CodeBusy, Text: nasty, Remote: true}
	for want, r := range map[string]channel.Report{
		"2 of 2 did not get the message":        {More: 2},
		`1 of 4 did not get the message: "bob"`: {Reached: 3, Unreached: []channel.Unreached{missed("bob", nil)}},
		`2 of 2 did not get the message: "bob" (busy), "eve" (canceled)`: {Unreached: []channel.Unreached{missed("bob", channel.CodeBusy),
			missed("eve", channel.CodeCanceled)}},
		`9 of 10 did not get the message: "a", "b", "c" and 6 more`: {Reached: 1,
			Unreached: []channel.Unreached{missed("a", nil), missed("b", nil), missed("c", nil), missed("d", nil)}, More: 5},
		`3 of 3 did not get the message: "bob" and 2 more`: {Unreached: []channel.Unreached{missed("bob", nil)}, More: 2},
	} {
		err := r.Err()
		assert.EqualError(t, err, want)
		var ue *channel.UnreachedError
		require.ErrorAs(t, err, &ue)
		assert.Equal(t, r, ue.Report)
	}

	err := channel.Report{Unreached: []channel.Unreached{missed("a", nil), missed("b", nil), missed("c", nil), missed(nasty, busy)}}.Err()
	assert.ErrorIs(t, err, channel.CodeBusy, "the errors of those that the text does not name count too")
	var e *channel.Error
	require.ErrorAs(t, err, &e)
	assert.Same(t, busy, e)
	err = channel.Report{Unreached: []channel.Unreached{missed(nasty, busy)}}.Err()
	for _, bad := range []string{"\x1b", "\n", "\u202e", "\xff"} {
		assert.NotContains(t, err.Error(), bad)
	}
	assert.False(t, errors.Is(channel.Report{More: 1}.Err(), channel.CodeBusy))
}

func TestNamesOfStatesAndKinds(t *testing.T) {
	for want, s := range map[string]channel.PeerState{"here": channel.Here, "away": channel.Away, "left": channel.Left, "state 3": 3,
		"state 255": 255} {
		assert.Equal(t, want, s.String())
	}
	for want, k := range map[string]channel.PresenceKind{
		"was here": channel.WasHere, "came": channel.Came, "went": channel.Went, "went away": channel.WentAway,
		"came back": channel.CameBack,
		"renamed":   channel.Renamed, "groups changed": channel.GroupsChanged, "listed": channel.Listed, "kind 8": 8,
	} {
		assert.Equal(t, want, k.String())
	}
	assert.Zero(t, channel.Here, "as in the service's bodies")
	assert.EqualValues(t, 2, channel.Left)
}
