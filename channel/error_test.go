package channel_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// nasty is what a hostile end could say: a terminal's commands, a second line for a log, text that
// runs from right to left.
const nasty = "x\x1b]0;owned\a\nlevel=ERROR \u202e\xff"

func TestErrClosedIsNetErrClosed(t *testing.T) {
	wrapped := fmt.Errorf("send: %w", channel.ErrClosed)
	assert.ErrorIs(t, wrapped, net.ErrClosed)
	assert.ErrorIs(t, wrapped, channel.ErrClosed)
	assert.NotErrorIs(t, wrapped, io.EOF)
	assert.NotErrorIs(t, net.ErrClosed, channel.ErrClosed, "not everything that is closed is a connection")
	assert.Equal(t, "the connection is closed", channel.ErrClosed.Error())
}

func TestTheEndsOfAConnectionDiffer(t *testing.T) {
	ends := map[string]error{
		"here":  channel.ErrClosed,
		"there": &channel.CloseError{Code: channel.CodeKicked},
		"lost":  &channel.LostError{Err: io.ErrUnexpectedEOF},
		"error": &channel.Error{Code: channel.CodeKicked, Remote: true},
	}
	for name, err := range ends {
		err = fmt.Errorf("wrapped: %w", err)
		var ce *channel.CloseError
		var le *channel.LostError
		var e *channel.Error
		assert.Equal(t, name == "here", errors.Is(err, channel.ErrClosed), name)
		assert.Equal(t, name == "here", errors.Is(err, net.ErrClosed), name)
		assert.Equal(t, name == "there", errors.As(err, &ce), name)
		assert.Equal(t, name == "lost", errors.As(err, &le), name)
		assert.Equal(t, name == "error", errors.As(err, &e), name)
		assert.Equal(t, name == "there" || name == "error", errors.Is(err, channel.CodeKicked), name)
		assert.Equal(t, name == "lost", errors.Is(err, io.ErrUnexpectedEOF), name)
		assert.NotErrorIs(t, err, channel.CodeBusy, name)
	}
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"busy":                                 &channel.Error{Code: channel.CodeBusy},
		"busy: come back later":                &channel.Error{Code: channel.CodeBusy, Text: "come back later"},
		`busy: "come back"`:                    &channel.Error{Code: channel.CodeBusy, Text: "come back", Remote: true},
		"code 300":                             channel.Code(300),
		"code 24":                              channel.Code(24),
		"there is no such session to resume":   channel.CodeNoSession,
		"the other side closed the connection": &channel.CloseError{},
		`the other side closed the connection: closed: "bye"`:               &channel.CloseError{Text: "bye"},
		"the other side closed the connection: the server is shutting down": &channel.CloseError{Code: channel.CodeShutdown},
		`the other side closed the connection: ended by the server: "out of my way"`: &channel.CloseError{Code: channel.CodeKicked,
			Text: "out of my way"},
		"the connection was lost: unexpected EOF":      &channel.LostError{Err: io.ErrUnexpectedEOF},
		"the connection was lost":                      &channel.LostError{},
		"0 of 1 messages are known to have been taken": &channel.GapError{Sent: 1},
		`3 of 5 messages are known to have been taken: the other side closed the connection: closed: "a\nb"`: &channel.GapError{
			Err: &channel.CloseError{Text: "a\nb"}, Sent: 5, Taken: 3, Channels: []channel.ChannelGap{{Channel: "x", Sent: 5, Taken: 3}}},
	} {
		assert.Equal(t, want, err.Error())
	}
}

func TestTextFromOutsideIsQuoted(t *testing.T) {
	for _, err := range []error{
		&channel.Error{Code: channel.CodeFailed, Text: nasty, Remote: true},
		&channel.CloseError{Code: channel.CodeKicked, Text: nasty},
		&channel.LostError{Err: &channel.CloseError{Text: nasty}},
	} {
		for _, bad := range []string{"\x1b", "\a", "\n", "\u202e", "\xff"} {
			assert.NotContains(t, err.Error(), bad)
		}
		assert.Contains(t, err.Error(), `"x\x1b]0;owned\a\nlevel=ERROR \u202e\xff"`)
	}
}

func TestCodeTexts(t *testing.T) {
	seen := make(map[string]channel.Code)
	for c := range channel.CodeRevoked + 1 {
		text := c.Error()
		require.NotEmpty(t, text, "code %d", uint16(c))
		assert.NotContains(t, text, "code ", "a code of the protocol has words")
		other, twice := seen[text]
		assert.False(t, twice, "%d and %d have the same text", uint16(c), uint16(other))
		seen[text] = c
	}
	assert.Equal(t, "code 65535", channel.Code(65535).Error())
	assert.Equal(t, "code 256", channel.CodeApplication.Error())
	assert.ErrorIs(t, fmt.Errorf("x: %w", channel.CodeApplication+1), channel.Code(257))
}

func TestCodesAreThoseOfTheProtocol(t *testing.T) {
	for code, n := range map[channel.Code]uint16{
		channel.CodeClosed: 0, channel.CodeProtocol: 1, channel.CodeInternal: 2, channel.CodeShutdown: 3, channel.CodeReplaced: 4,
		channel.CodeKicked: 5, channel.CodeLimit: 6, channel.CodeTimeout: 7, channel.CodeCanceled: 8, channel.CodeUnknownKey: 9,
		channel.CodeNameTaken: 10, channel.CodeBadName: 11, channel.CodeUnknownPeer: 12, channel.CodeNotConnected: 13,
		channel.CodeRefused: 14, channel.CodeBusy: 15, channel.CodeGone: 16, channel.CodeNoHandler: 17, channel.CodeNoListener: 18,
		channel.CodeTooLarge: 19, channel.CodeBadMessage: 20, channel.CodeFailed: 21, channel.CodeRevoked: 22,
		channel.CodeApplication: 256,
	} {
		assert.Equal(t, n, uint16(code), code.Error())
	}
}

func TestPeerIsPrintedQuoted(t *testing.T) {
	s := channel.Peer{Name: nasty}.String()
	assert.True(t, strings.HasPrefix(s, `"x\x1b]0;`), s)
	assert.NotContains(t, s, "\x1b")
}

// What a connection's end was before it became a GapError is found in it as ever.
func TestGapErrorUnwraps(t *testing.T) {
	var lost *channel.LostError
	require.ErrorAs(t, error(&channel.GapError{Err: &channel.LostError{Err: io.ErrUnexpectedEOF}}), &lost)
	require.ErrorIs(t, lost, io.ErrUnexpectedEOF)
	require.ErrorIs(t, &channel.GapError{Err: &channel.CloseError{Code: channel.CodeShutdown}}, channel.CodeShutdown)
	require.NoError(t, (&channel.GapError{}).Unwrap())
}
