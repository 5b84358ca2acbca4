package link

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// kept are the frames of a link that matter here, messages with their bodies' lengths.
func keptLines(r *raw) (got []string) {
	for _, f := range r.read() {
		switch f.Type {
		case wire.TypeChannel:
			n, _, name, _ := wire.ParseChannel(f.p)
			got = append(got, fmt.Sprintf("%s from %d", name, n))
		case wire.TypeMessage:
			got = append(got, fmt.Sprintf("%d: %d encoding %d", f.ID, len(f.p), f.Flags.Encoding()))
		}
	}
	return got
}

func TestResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, books := t.Context(), NewBooks(true)
		l, r := against(t, &Config{Books: books})
		for n := range 4 {
			require.NoError(t, l.Send(ctx, "y", channel.Raw, make([]byte, n)))
		}
		body := []byte("abcde")
		require.NoError(t, l.Send(ctx, "x", channel.CBOR, body))
		copy(body, "fghij")
		go func() { _, _ = l.Request(ctx, "y", channel.Raw, make([]byte, 9)) }()
		require.NoError(t, l.Send(ctx, "z", channel.Raw, nil))
		synctest.Wait()
		r.read()
		r.write(credit(1, 32+33, 70000), credit(3, 32, 70000))
		synctest.Wait()
		r.conn.Cut()
		<-l.Done()

		l, r = against(t, &Config{Books: books})
		sent := make(chan error, 3)
		go func() { sent <- l.Send(ctx, "y", channel.Raw, make([]byte, 50)) }()
		go func() { _, err := l.Request(ctx, "y", channel.Raw, make([]byte, 60)); sent <- err }()
		go func() { sent <- l.Flush(ctx) }()
		require.NoError(t, l.Send(ctx, "z", channel.Raw, make([]byte, 7)), "nothing of it is to be sent again")
		synctest.Wait()
		require.Empty(t, sent, "they wait for what comes before")
		require.Equal(t, []string{"x from 0", "y from 2", "z from 1", "3: 7 encoding 0"}, keptLines(r))
		require.True(t, l.Resending())
		require.NoError(t, l.Resend(ctx))
		require.False(t, l.Resending())
		require.NoError(t, <-sent)
		frames := keptLines(r)
		require.ElementsMatch(t, []string{"2: 2 encoding 0", "2: 3 encoding 0", "1: 5 encoding 2", "2: 50 encoding 0", "2: 68 encoding 0"},
			frames)
		require.Equal(t, []byte("abcde"), books.out[bookKey{name: "x"}].at(0).body, "a copy")
		r.write(credit(1, 37, 70000), credit(2, 34+35+82+92, 70000), credit(3, 39, 70000))
		require.NoError(t, <-sent)
		require.False(t, books.Pending())
		for _, o := range books.out {
			require.Empty(t, o.kept)
		}
	})
}

// A link that ends while it sends again leaves to the next what is left.
func TestResendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, books := t.Context(), NewBooks(true)
		l, _ := against(t, &Config{Books: books})
		for n := range 60 {
			require.NoError(t, l.Send(ctx, "x", channel.Raw, make([]byte, 1000+n)))
		}
		l.Cut(io.ErrUnexpectedEOF)
		var taken uint64
		for i := range 3 {
			l, r := againstOver(t, memnet.Config{Buffer: 1 << 20}, &Config{Books: books})
			require.Equal(t, uint64(i*5), l.out[wire.KindApplication]["x"].begin)
			done := make(chan error, 1)
			go func() { done <- l.Resend(ctx) }()
			synctest.Wait()
			r.read()
			taken = 0
			for n := range 5 {
				taken += uint64(1032 + i*5 + n)
			}
			r.write(credit(1, taken, 65536+taken))
			synctest.Wait()
			r.conn.Cut()
			<-l.Done()
			require.NoError(t, <-done)
			require.Equal(t, uint64((i+1)*5), books.out[bookKey{name: "x"}].taken)
		}
	})
}

// What is larger than the credit of a new link, and a ctx that ends.
func TestResendWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, books := t.Context(), NewBooks(true)
		l, r := against(t, &Config{Books: books})
		require.NoError(t, l.Send(ctx, "x", channel.Raw, nil))
		sent := make(chan error, 1)
		go func() { sent <- l.Send(ctx, "x", channel.Raw, make([]byte, 100000)) }()
		synctest.Wait()
		r.write(credit(1, 0, 200000))
		require.NoError(t, <-sent)
		require.NoError(t, l.Send(ctx, "y", channel.Raw, nil))
		l.Cut(io.ErrUnexpectedEOF)

		l, r = against(t, &Config{Books: books})
		given, cancel := context.WithCancel(ctx)
		go func() { sent <- l.Resend(given) }()
		synctest.Wait()
		require.Contains(t, r.lines(), "ANNOUNCE 1 100032")
		require.NoError(t, l.Send(ctx, "y", channel.Raw, nil), "one channel does not wait for another")
		cancel()
		require.ErrorIs(t, <-sent, context.Canceled)
		go func() { sent <- l.Resend(ctx) }()
		synctest.Wait()
		r.write(credit(1, 32, 200000))
		require.NoError(t, <-sent)
		require.Equal(t, uint64(100064), l.out[wire.KindApplication]["x"].pushed, "nothing was sent twice")
		l.Cut(io.ErrUnexpectedEOF)

		l, _ = against(t, &Config{Books: books, PeerMaxMessage: 70000})
		require.ErrorIs(t, l.Resend(ctx), channel.CodeTooLarge)
	})
}

// A channel that is refused when its messages come again.
func TestResendRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, books := t.Context(), NewBooks(true)
		l, _ := against(t, &Config{Books: books})
		receipt, err := l.Begin(ctx, "x", channel.Raw, nil)
		require.NoError(t, err)
		l.Cut(io.ErrUnexpectedEOF)
		require.True(t, l.Ended(l.AwaitTaken(ctx, receipt)))

		l, r := against(t, &Config{Books: books})
		require.NoError(t, l.Send(ctx, "y", channel.Raw, nil))
		r.read()
		r.write(reason(wire.TypeRefuse, 1, wire.CodeLimit))
		synctest.Wait()
		require.NoError(t, l.Resend(ctx), "who sends next is told")
		l.Cut(io.ErrUnexpectedEOF)
		require.True(t, books.Pending(), "nobody was")

		l, r = against(t, &Config{Books: books})
		r.write(reason(wire.TypeRefuse, 1, wire.CodeLimit), credit(2, 0, 70000))
		go func() { _ = l.Resend(ctx) }()
		require.ErrorIs(t, l.Flush(ctx), channel.CodeLimit)
		require.ErrorIs(t, l.AwaitTaken(ctx, receipt), channel.CodeLimit)
		require.ErrorIs(t, l.Send(ctx, "x", channel.Raw, nil), channel.CodeLimit)
		l.Cut(io.ErrUnexpectedEOF)
		l, _ = against(t, &Config{Books: books})
		require.Len(t, l.outByID, 1, "it has been told, so it is not sent again")
		require.ErrorIs(t, l.AwaitTaken(ctx, receipt), channel.CodeLimit)
	})
}
