package lines

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRead(t *testing.T) {
	lines := Read(t.Context(), strings.NewReader("one\n\nthree"))
	assert.Equal(t, "one", <-lines)
	assert.Equal(t, "", <-lines)
	assert.Equal(t, "three", <-lines)
	_, ok := <-lines
	assert.False(t, ok)
}

// TestStop ends ctx while a line waits to be asked for.
func TestStop(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	in, typed := io.Pipe()
	lines := Read(ctx, in)
	_, err := io.WriteString(typed, "one\ntwo\n")
	assert.NoError(t, err)
	assert.Equal(t, "one", <-lines)
	stop()
	assert.NoError(t, typed.Close())
	for range lines { // "two", or nothing; and then the end
	}
}
