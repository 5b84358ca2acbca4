package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/server"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]amount{"64KiB": 64 << 10, "512MiB": 512 << 20, "4GiB": 4 << 30, "1TiB": 1 << 40,
		"1536MiB": 1536 << 20} {
		var s amount
		require.NoError(t, s.Set(text))
		assert.Equal(t, want, s)
		assert.Equal(t, text, s.short())
	}
	for _, text := range []string{"", "0", "1", "4G", "4GB", "GiB", "-1GiB", "+1GiB", "0MiB", "1.5GiB", "4 GiB", "4gib", "9999999TiB",
		"99999999999999999999KiB"} {
		assert.Error(t, new(amount).Set(text), text)
	}
}

// TestFitMemory reckons as the server does, and leaves nothing on the table.
func TestFitMemory(t *testing.T) {
	for _, c := range []struct {
		name    string
		limits  server.Limits
		most    amount
		clients int
		lowers  bool
	}{
		{"as many sessions as fit", server.Limits{}, 8 << 30, 2, false},
		{"an open server", server.Limits{}, 16 << 30, 0, false},
		{"smaller messages, more sessions", server.Limits{MaxMessage: 1 << 20}, 8 << 30, 2, false},
		{"one session", server.Limits{}, 300 << 20, 1, false},
		{"room for all", server.Limits{MaxSessions: 10}, 4 << 30, 2, false},
		{"more room than sessions", server.Limits{}, 1 << 50, 2, false},
		{"less for each", server.Limits{MaxSessions: 34}, 4 << 30, 2, true},
		{"as little as can be", server.Limits{MaxSessions: 8}, 1 << 30, 2, true},
		{"many handshakes", server.Limits{MaxSessions: 34, MaxHandshakes: 20_000}, 5 << 30, 2, true},
		{"the message as given", server.Limits{MaxSessions: 15, MaxMessage: 2 << 20}, 2 << 30, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := fitMemory(c.limits, c.most, c.clients)
			require.NoError(t, err)
			assert.LessOrEqual(t, got.Memory(), int64(c.most))
			assert.Equal(t, c.limits.MaxHandshakes, got.MaxHandshakes)
			if c.limits.MaxMessage != 0 {
				assert.Equal(t, c.limits.MaxMessage, got.MaxMessage)
			}
			if c.limits.MaxSessions != 0 {
				assert.Equal(t, c.limits.MaxSessions, got.MaxSessions)
			} else {
				assert.GreaterOrEqual(t, got.MaxSessions, c.clients)
				assert.LessOrEqual(t, got.MaxSessions, defaultSessions)
				more := got
				more.MaxSessions++
				assert.True(t, got.MaxSessions == defaultSessions || more.Memory() > int64(c.most), "one more would fit")
			}
			if !c.lowers {
				same := c.limits
				same.MaxSessions = got.MaxSessions
				assert.Equal(t, same, got)
				return
			}
			assert.GreaterOrEqual(t, got.MaxMessage, least.MaxMessage)
			assert.GreaterOrEqual(t, got.PipeWindow, least.PipeWindow)
			assert.GreaterOrEqual(t, got.StreamWindow, least.StreamWindow)
			assert.GreaterOrEqual(t, got.SendQueue, least.SendQueue)
			assert.GreaterOrEqual(t, got.ResumeBuffer, least.ResumeBuffer)
			assert.Less(t, int64(c.most)-got.Memory(), int64(got.MaxSessions)*(2<<20), "a step is less than 2 MiB of each")
		})
	}
}

// TestUsualIsTheDefault compares with what server.Limits takes for zero, or a little less than the
// largest message of that.
func TestUsualIsTheDefault(t *testing.T) {
	low, tiny := least, least
	tiny.MaxMessage, tiny.StreamWindow, tiny.PipeWindow, tiny.SendQueue, tiny.ResumeBuffer = 1, 1, 1, 1, 1
	assert.Equal(t, tiny.Memory(), low.Memory(), "it does not take less")
	zero, full := server.Limits{MaxSessions: 1}, usual
	full.MaxSessions = 1
	assert.InDelta(t, zero.Memory(), full.Memory(), 64<<10)
}

func TestFitMemoryRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		limits  server.Limits
		most    amount
		clients int
	}{
		`--max-memory 1GiB is not enough for a session of each of 10 clients: these take (\d+) MiB or, with --max-sessions 10, which lowers what each may hold, (\d+) MiB`: {
			server.Limits{}, 1 << 30, 10},
		`--max-memory 128MiB is not enough for one session: it takes (\d+) MiB or, with --max-sessions 1, which lowers what each may hold, (\d+) MiB`: {
			server.Limits{MaxHandshakes: 2048}, 128 << 20, 0},
		`--max-memory 1GiB is not enough for --max-sessions 34: even if each may hold as little as it can that takes \d+ MiB, or give --max-sessions (\d+)`: {
			server.Limits{MaxSessions: 34}, 1 << 30, 2},
		`--max-memory 64MiB is not enough for --max-sessions 1: even if each may hold as little as it can that takes (\d+) MiB`: {
			server.Limits{MaxSessions: 1}, 64 << 20, 0},
	} {
		_, err := fitMemory(c.limits, c.most, c.clients)
		require.ErrorAs(t, err, new(usageError))
		said := regexp.MustCompile("^" + want + "$").FindStringSubmatch(err.Error())
		require.NotNil(t, said, err.Error())
		for i, text := range said[1:] { // what it advises works
			n, err := strconv.Atoi(text)
			require.NoError(t, err)
			better := c
			switch {
			case strings.Contains(want, "or give"):
				better.limits.MaxSessions = n
			case i == 1:
				better.limits.MaxSessions = max(1, c.clients)
				fallthrough
			default:
				better.most = amount(n) << 20
			}
			_, err = fitMemory(better.limits, better.most, better.clients)
			require.NoError(t, err, "%s: %s", want, text)
		}
	}
}

// TestDocsSayMemory keeps what the documents say of a session's memory true.
func TestDocsSayMemory(t *testing.T) {
	each := (server.Limits{MaxSessions: 2}).Memory() - (server.Limits{MaxSessions: 1}).Memory()
	for _, name := range []string{"security.md", "operations.md"} {
		text, err := os.ReadFile("../../docs/" + name)
		require.NoError(t, err)
		said := regexp.MustCompile(`about (\d+)\s+MiB`).FindSubmatch(text)
		require.NotNil(t, said, name)
		assert.Equal(t, strconv.FormatInt((each+1<<19)>>20, 10), string(said[1]), name)
	}
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	for _, limits := range []server.Limits{{}, {MaxMessage: 1 << 20}} {
		fit, err := fitMemory(limits, 4<<30, 2)
		require.NoError(t, err)
		assert.Regexp(t, `as that allows[^|]*: `+strconv.Itoa(fit.MaxSessions)+`\b`, string(text))
	}
}
