package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// TestLogOfClients has a client renamed, put into groups and thrown out.
func TestLogOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files, err := family([]string{"alice"}, defaultAddress)
		require.NoError(t, err)
		stderr := newNotes()
		plain := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "fingerprint" {
				return slog.Attr{}
			}
			return a
		}}
		srv := &server.Server{Keys: files[0], Logger: slog.New(slog.NewTextHandler(stderr, plain)),
			AllowGroups: func(channel.Peer, []string) error { return nil }}
		logClients(srv)
		ln := newPipeListener()
		served := make(chan error, 1)
		go func() { served <- srv.Serve(t.Context(), ln) }() // stops with Close
		c, err := client.Dial(t.Context(), "", &client.Config{Keys: files[1], DialContext: ln.dial, Groups: []string{"a=b", "red"}})
		require.NoError(t, err)
		synctest.Wait()
		alice, ok := srv.Session("alice")
		require.True(t, ok)
		require.NoError(t, alice.Rename("al=ice"))
		synctest.Wait()
		require.NoError(t, alice.JoinGroup("blue"))
		synctest.Wait()
		require.NoError(t, alice.LeaveGroup("red"))
		synctest.Wait()
		require.NoError(t, alice.CloseWithReason(channel.CodeKicked, "out"))
		<-c.Context().Done()
		synctest.Wait()
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-served, server.ErrServerClosed)
		_ = c.Close()
		const name = ` name="al=ice"`
		assert.Equal(t, strings.Join([]string{
			`level=INFO msg="pysock: client joined" name=alice from=a groups="a=b red"`,
			`level=INFO msg="pysock: client renamed"` + name + ` before=alice`,
			`level=INFO msg="pysock: client joined a group"` + name + ` group=blue`,
			`level=INFO msg="pysock: client left a group"` + name + ` group=red`,
			`level=INFO msg="pysock: client left"` + name + ` reason="ended by the server: out"`,
		}, "\n")+"\n", stderr.String())
	})
}

func TestLeftReason(t *testing.T) {
	for want, err := range map[string]error{
		"the server ended it":                          channel.ErrClosed,
		"the client ended it":                          &channel.CloseError{},
		`the client ended it: closed: "b\x1bye"`:       &channel.CloseError{Text: "b\x1bye"},
		"it ended without a goodbye":                   &channel.LostError{Err: &secure.TruncatedError{During: "stream"}},
		"it ended":                                     nil,
		"broken":                                       &channel.LostError{Err: errors.New("broken")},
		channel.CodeTimeout.Error():                    &channel.LostError{Err: channel.CodeTimeout},
		(&channel.Error{Code: 300, Text: "x"}).Error(): &channel.LostError{Err: &channel.Error{Code: 300, Text: "x"}},
	} {
		assert.Equal(t, want, leftReason(err))
	}
}
