package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

func TestWhoPrints(t *testing.T) {
	private, err := keys.GeneratePrivateKey()
	require.NoError(t, err)
	key := private.Public()
	since := time.Date(2026, 11, 20, 12, 0, 0, 999e6, time.FixedZone("", 3600))
	bob := channel.PeerInfo{Peer: channel.Peer{Name: "bob", Key: key, Groups: []string{"blue", "re\u009bd", "a,b"}}, Since: since}
	away, left := bob, channel.PeerInfo{Peer: channel.Peer{Name: "bob", Key: key}, State: channel.Left}
	away.State, away.AwaySince = channel.Away, since.Add(time.Hour)
	robert := channel.PeerInfo{Peer: channel.Peer{Name: "rob\u0378ert", Key: key}, Since: since}
	const at, then = " since=2026-11-20T11:00:00Z", " since=2026-11-20T12:00:00Z"
	fingerprint, groups := " key="+key.Fingerprint(), ` groups=blue,re\u009bd,a\x2cb`
	for _, c := range []struct {
		event channel.PresenceEvent
		want  string
	}{
		{channel.PresenceEvent{Kind: channel.WasHere, Peer: bob}, "bob here" + at + fingerprint + groups},
		{channel.PresenceEvent{Kind: channel.WasHere, Peer: away}, "bob away" + then + fingerprint + groups},
		{channel.PresenceEvent{Kind: channel.Came, Peer: bob}, "bob came" + at + fingerprint + groups},
		{channel.PresenceEvent{Kind: channel.Went, Peer: left, Before: bob}, "bob left" + fingerprint},
		{channel.PresenceEvent{Kind: channel.WentAway, Peer: away, Before: bob}, "bob away" + then + fingerprint + groups},
		{channel.PresenceEvent{Kind: channel.CameBack, Peer: bob, Before: away}, "bob back" + at + fingerprint + groups},
		{channel.PresenceEvent{Kind: channel.Renamed, Peer: robert, Before: bob}, `rob\u0378ert renamed` + at + fingerprint + " was=bob"},
		{channel.PresenceEvent{Kind: channel.GroupsChanged, Peer: bob, Before: robert}, "bob groups" + at + fingerprint + groups},
	} {
		var b bytes.Buffer
		require.NoError(t, new(whoArgs).print(&b, c.event))
		assert.Equal(t, c.want+"\n", b.String())
	}
	var b bytes.Buffer
	require.NoError(t, (&whoArgs{json: true}).print(&b, channel.PresenceEvent{Kind: channel.Renamed, Peer: robert, Before: bob}))
	assert.Equal(t, `{"name":"rob\u0378ert","key":"`+key.String()+`","event":"renamed","since":"2026-11-20T11:00:00Z","was":"bob"}`+"\n",
		b.String())
}

// TestWhoComparesKeys has one of our peers' names stand for a key that is not the one we have.
func TestWhoComparesKeys(t *testing.T) {
	private, err := keys.GeneratePrivateKey()
	require.NoError(t, err)
	other, err := keys.GeneratePrivateKey()
	require.NoError(t, err)
	ours, theirs := private.Public(), other.Public()
	o := &whoArgs{peers: map[string]keys.PublicKey{"bob": ours}}
	line := func(o *whoArgs, name string, key keys.PublicKey) string {
		var b bytes.Buffer
		event := channel.PresenceEvent{Kind: channel.WasHere,
			Peer: channel.PeerInfo{Peer: channel.Peer{Name: name, Key: key, Groups: []string{"a"}}}}
		require.NoError(t, o.print(&b, event))
		return b.String()
	}
	assert.Equal(t, "bob here key="+ours.Fingerprint()+" groups=a\n", line(o, "bob", ours))
	assert.Equal(t, "bob here key="+theirs.Fingerprint()+" key-differs groups=a\n", line(o, "bob", theirs))
	assert.Equal(t, "carol here key="+theirs.Fingerprint()+" groups=a\n", line(o, "carol", theirs))
	o.json = true
	assert.Contains(t, line(o, "bob", theirs), `"event":"here","key_differs":true,`)
	assert.NotContains(t, line(o, "bob", ours), "key_differs")
}

func TestWhoSaysWhyNot(t *testing.T) {
	o := &whoArgs{}
	for want, err := range map[string]error{
		"the server does not tell who is connected: it is older than that":   &channel.Error{Code: channel.CodeNoHandler, Remote: true},
		"the server does not let us see who is connected: ask its operator":  &channel.Error{Code: channel.CodeRefused, Remote: true},
		"the server closed the connection: the server is shutting down":      &channel.CloseError{Code: channel.CodeShutdown},
		"the connection to the server was lost (it ended without a goodbye)": &channel.LostError{Err: &secure.TruncatedError{During: "stream"}},
	} {
		assert.EqualError(t, o.whoError(err, &keys.File{Name: "alice"}), want)
	}
}
