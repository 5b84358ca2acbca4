package channel_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// captureLog takes what slog.Default logs until the test ends.
func captureLog(t *testing.T) *bytes.Buffer {
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &out
}

func TestSignal(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	ready := channel.NewSignal("ready")
	assert.Equal(t, "ready", ready.Name())
	calls := 0
	ready.Handle(&mux, func(_ context.Context, from channel.Conn) error {
		assert.Same(t, conn, from)
		calls++
		return nil
	})
	require.NoError(t, ready.Send(t.Context(), conn))
	assert.Equal(t, 1, calls)
	assert.Empty(t, conn.sent[0].Body)
	assert.Equal(t, channel.Raw, conn.sent[0].Encoding)

	m, err := conn.Request(t.Context(), "ready", nil)
	require.NoError(t, err, "it may be asked for, to know that it was handled")
	assert.Empty(t, m.Body)
	assert.Equal(t, 2, calls)
}

func TestASignalHasNoBody(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	channel.NewSignal("ready").Handle(&mux, func(context.Context, channel.Conn) error {
		t.Error("called")
		return nil
	})
	_, err := conn.Request(t.Context(), "ready", []byte{0})
	assert.ErrorIs(t, err, channel.CodeBadMessage)
	require.NoError(t, channel.Of[any]("ready").Send(t.Context(), conn, nil), "null is a body of one byte")
	require.Len(t, conn.logged, 1)
	var de *channel.DecodeError
	require.ErrorAs(t, conn.logged[0], &de)
	assert.Equal(t, "ready", de.Channel)
	assert.Equal(t, "loop", de.From.Name)
}

func TestASignalsErrorReachesTheAsker(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	channel.NewSignal("ready").Handle(&mux, func(context.Context, channel.Conn) error { return channel.CodeBusy })
	_, err := conn.Request(t.Context(), "ready", nil)
	assert.ErrorIs(t, err, channel.CodeBusy)
	assert.ErrorIs(t, channel.NewSignal("other").Send(t.Context(), conn), channel.CodeNoHandler)
}
