package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNextLine(t *testing.T) {
	long := strings.Repeat("x", 200_000) // several buffers
	r := bufio.NewReader(strings.NewReader("a\n\nb\r\n\r\n" + long + "\nc\rd\nlast\r"))
	for _, want := range []string{"a", "", "b", "", long, "c\rd", "last\r"} {
		line, err := nextLine(r)
		require.NoError(t, err)
		require.Equal(t, want, string(line))
	}
	_, err := nextLine(r)
	assert.ErrorIs(t, err, io.EOF)
}

func TestLineIsBounded(t *testing.T) {
	endless := func() io.Reader { return repeating{} }
	_, err := nextLine(bufio.NewReader(endless()))
	assert.ErrorContains(t, err, "it is longer than 16777216 bytes")
	most := io.MultiReader(io.LimitReader(endless(), maxLine), strings.NewReader("\r\n"))
	line, err := nextLine(bufio.NewReader(most))
	require.NoError(t, err)
	assert.Len(t, line, maxLine)
}

// repeating is an endless line.
type repeating struct{}

func (repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestReadLinesSaysWhichLineFailed(t *testing.T) {
	broken := errors.New("broken")
	in := io.MultiReader(strings.NewReader("one\ntwo\n"), failing{broken})
	var got []string
	for l := range readLines(context.Background(), in) {
		if l.err != nil {
			require.ErrorIs(t, l.err, broken)
			got = append(got, l.err.Error())
			continue
		}
		got = append(got, string(l.text))
	}
	assert.Equal(t, []string{"one", "two", "line 3 of standard input: broken"}, got)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestReadLinesStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	lines := readLines(ctx, repeatingLines{})
	require.NoError(t, (<-lines).err)
	cancel()
	for range lines {
		// It ends: the leak test would find it otherwise.
	}
}

type repeatingLines struct{}

func (repeatingLines) Read(p []byte) (int, error) { return copy(p, "line\n"), nil }
