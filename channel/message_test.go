package channel_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

func TestEncodingNames(t *testing.T) {
	for e, want := range map[channel.Encoding]string{
		channel.Raw: "raw", channel.Text: "text", channel.CBOR: "cbor", 3: "unknown encoding", 255: "unknown encoding",
	} {
		assert.Equal(t, want, e.String())
	}
	assert.EqualValues(t, 0, channel.Raw)
	assert.EqualValues(t, 1, channel.Text)
	assert.EqualValues(t, 2, channel.CBOR)
}

func TestReplyToWhatIsNoRequest(t *testing.T) {
	m := &channel.Message{Channel: "a"}
	assert.False(t, m.IsRequest())
	assert.ErrorIs(t, m.Reply(t.Context(), nil), channel.ErrNotRequest)
	assert.ErrorIs(t, m.ReplyMessage(t.Context(), channel.Text, nil), channel.ErrNotRequest)
	assert.ErrorIs(t, m.ReplyError(channel.CodeBusy, ""), channel.ErrNotRequest)
}

func TestReplies(t *testing.T) {
	for name, c := range map[string]struct {
		reply func(ctx context.Context, m *channel.Message) error
		enc   channel.Encoding
		body  string
		err   error
	}{
		"raw": {reply: func(ctx context.Context, m *channel.Message) error { return m.Reply(ctx, []byte("hi")) }, body: "hi"},
		"text": {reply: func(ctx context.Context, m *channel.Message) error {
			return m.ReplyMessage(ctx, channel.Text, []byte("hi"))
		}, enc: channel.Text, body: "hi"},
		"error": {reply: func(_ context.Context, m *channel.Message) error { return m.ReplyError(channel.CodeBusy, "later") },
			err: &channel.Error{Code: channel.CodeBusy, Text: "later", Remote: true}},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answer{message: new(channel.Message)}
			m := &channel.Message{Channel: "a"}
			require.Same(t, m, channel.NewRequest(m, a))
			assert.True(t, m.IsRequest())
			require.NoError(t, c.reply(t.Context(), m))
			assert.Equal(t, c.err, a.err)
			assert.Equal(t, c.enc, a.message.Encoding)
			assert.Equal(t, c.body, string(a.message.Body))
			assert.ErrorIs(t, c.reply(t.Context(), m), channel.ErrAnswered)
		})
	}
}

func TestReplyWithAMarkThatDoesNotExist(t *testing.T) {
	a := &answer{message: new(channel.Message)}
	m := channel.NewRequest(new(channel.Message), a)
	assert.ErrorIs(t, m.ReplyMessage(t.Context(), 3, nil), channel.CodeBadMessage)
	assert.False(t, a.done)
	assert.NoError(t, m.Reply(t.Context(), nil), "it can still be answered")
}
