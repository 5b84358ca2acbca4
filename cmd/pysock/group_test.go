package main

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

func TestTellReport(t *testing.T) {
	var notes bytes.Buffer
	bob := channel.Unreached{Peer: channel.Peer{Name: "b\u009bb"}, Err: &channel.Error{Code: channel.CodeGone, Remote: true}}
	require.NoError(t, tellReport(&notes, channel.Report{Reached: 2}))
	assert.Empty(t, notes.String())
	require.NoError(t, tellReport(&notes, channel.Report{Reached: 2, Unreached: []channel.Unreached{bob}, More: 3}))
	assert.Regexp(t, `^4 of 6 did not get the message: "b\\u009bb" \(.*\) and 3 more\n$`, notes.String())
	notes.Reset()
	require.ErrorIs(t, tellReport(&notes, channel.Report{Unreached: []channel.Unreached{bob}}), channel.CodeGone)
	require.ErrorIs(t, tellReport(&notes, channel.Report{}), errReachedNobody)
	assert.Empty(t, notes.String())
}

func TestGroupError(t *testing.T) {
	x := &exchange{channel: "news", group: "red"}
	gone := &channel.Error{Code: channel.CodeUnknownPeer, Remote: true}
	unreached := channel.Report{Unreached: []channel.Unreached{{Peer: channel.Peer{Name: "bob"}, Err: gone}}}.Err()
	ctx := context.Background()
	for want, err := range map[string]error{
		`nobody else is in the group "red": pysock listen --group joins it`:                                                   gone,
		`the server does not let us send to the group "red": ask its operator, who lets everybody with pysock serve --groups`: &channel.Error{Code: channel.CodeRefused, Remote: true},
		"the server passes nothing on to groups: it is older than that":                                                       &channel.Error{Code: channel.CodeNoHandler, Remote: true},
		unreached.Error(): unreached,
		"the server closed the connection: the server is shutting down": &channel.CloseError{Code: channel.CodeShutdown},
		"it has reached nobody": errReachedNobody,
	} {
		assert.EqualError(t, x.groupError(ctx, err), want)
	}
	require.NoError(t, x.groupError(ctx, nil))
	ended, end := context.WithCancel(ctx)
	end()
	require.ErrorIs(t, x.groupError(ended, errors.New("late")), errInterrupted)
}

func TestListenSaysThatGroupsAreRefused(t *testing.T) {
	refused := &channel.Error{Code: channel.CodeRefused, Text: "no\x1b", Remote: true}
	const advice = ": ask its operator, who lets everybody with pysock serve --groups"
	o := &listenArgs{groups: list{"red", "re\u009bd"}}
	assert.EqualError(t, o.groupError(refused), `the server does not let us join all of the groups "red", "re\u009bd" ("no\x1b")`+advice)
	assert.EqualError(t, (&listenArgs{groups: list{"red"}}).groupError(&channel.Error{Code: channel.CodeRefused, Remote: true}),
		`the server does not let us join the group "red"`+advice)
	assert.EqualError(t, (&listenArgs{groups: list{"red"}}).groupError(&channel.CloseError{Code: channel.CodeRefused, Text: "not now"}),
		`the server does not let us join the group "red" ("not now")`+advice)
	assert.Equal(t, refused, new(listenArgs).groupError(refused))
	for _, other := range []error{channel.CodeRefused, &channel.Error{Code: channel.CodeBusy, Remote: true}} {
		assert.Equal(t, other, o.groupError(other))
	}
}

// TestPrintsGroups: who sent to a group is the server's word, which is no news of a key.
func TestPrintsGroups(t *testing.T) {
	private, err := keys.GeneratePrivateKey()
	require.NoError(t, err)
	m := &channel.Message{Channel: "news", Group: "re\u009bd", From: &channel.Peer{Name: "alice", Key: private.Public(), Unverified: true},
		Body: []byte("hi")}
	var out, notes bytes.Buffer
	p := &printer{out: &out, notes: &notes, json: true}
	require.False(t, p.print(nil, m))
	assert.Equal(t, `{"from":"alice","key":"`+private.Public().String()+`","channel":"news","via":"group","group":"re\u009bd","body":"hi"}`+
		"\n", out.String())
	assert.Empty(t, notes.String())
	out.Reset()
	p.json = false
	require.False(t, p.print(nil, m))
	assert.Equal(t, `re\u009bd/alice news hi`+"\n", out.String())
}
