package game

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heap is a heap of matches, of which a move takes 1 to 3. Who takes the last has won.
type heap struct{ left, last int }

func (h *heap) Play(player, n int) error {
	if n < 1 || n > 3 || n > h.left {
		return fmt.Errorf("%d of %d matches", n, h.left)
	}
	h.left, h.last = h.left-n, player
	return nil
}

func (h *heap) Over() (int, bool) { return h.last, h.left == 0 }
func (h *heap) String() string    { return strings.Repeat("|", h.left) + "\n" }

func newHeap(matches int) Game {
	return Game{Name: "heap", Move: "a number", Marks: [2]string{"one", "two"}, Board: &heap{left: matches}}
}

// pipe opens a pipe from alice to bob.
func pipe(t *testing.T) (alice, bob *client.Pipe) {
	t.Helper()
	w := testworld.New(t, []string{"alice", "bob"}, nil)
	a, b := w.Dial("alice", nil), w.Dial("bob", nil)
	alice, err := a.OpenPipe(t.Context(), "bob")
	require.NoError(t, err)
	bob, err = b.AcceptPipe(t.Context())
	require.NoError(t, err)
	return alice, bob
}

// side is a player in the test's own process.
type side struct {
	out bytes.Buffer // to be read after err
	err chan error
}

func start(ctx context.Context, g Game, p *client.Pipe, opened bool, in io.Reader) *side {
	s := &side{err: make(chan error, 1)}
	out := io.Writer(&s.out)
	t, types := in.(*typist)
	if types {
		out = io.MultiWriter(out, t)
	}
	go func() { // stops with the game
		err := play(ctx, g, p, opened, in, out)
		if types {
			close(t.asked)
		}
		s.err <- err
	}()
	return s
}

// typist types a line when asked for one, and then nothing any more.
type typist struct {
	lines []string
	asked chan struct{} // closed with the game
}

func types(lines ...string) *typist { return &typist{lines, make(chan struct{}, 16)} }

// Write sees what is printed.
func (t *typist) Write(p []byte) (int, error) {
	if bytes.HasSuffix(p, []byte(":\n")) {
		t.asked <- struct{}{}
	}
	return len(p), nil
}

// Read types.
func (t *typist) Read(p []byte) (int, error) {
	if _, ok := <-t.asked; !ok || len(t.lines) == 0 {
		return 0, io.EOF
	}
	n := copy(p, t.lines[0]+"\n")
	t.lines = t.lines[1:]
	return n, nil
}

// TestPlay has both take one match after the other: who begins takes the last of five.
func TestPlay(t *testing.T) {
	a, b := pipe(t)
	alice := start(t.Context(), newHeap(5), a, true, types("4", "1", "1", "1"))
	bob := start(t.Context(), newHeap(5), b, false, types("x", "1", "1", "1"))
	require.NoError(t, <-alice.err)
	require.NoError(t, <-bob.err)
	winner, loser, name := alice.out.String(), bob.out.String(), "alice"
	if strings.Contains(loser, "You begin. You are one.") {
		winner, loser, name = loser, winner, "bob"
	}
	assert.Contains(t, winner, "\nYou begin. You are one.\n|||||\nYour move (a number):\nNo: ")
	assert.True(t, strings.HasSuffix(winner, "\n\nYou win.\n"), winner)
	assert.Contains(t, loser, name+" begins. You are two.\n|||||\n"+name+" plays 1.\n||||\nYour move (a number):\n")
	assert.True(t, strings.HasSuffix(loser, "\n\n"+name+" wins.\n"), loser)
	assert.Contains(t, alice.out.String(), "No: 4 of ")
	assert.Contains(t, bob.out.String(), "No: type a number. ")
}

// TestOutOfTurn has bob type before it is his turn. That is not taken for his move.
func TestOutOfTurn(t *testing.T) {
	a, b := pipe(t)
	moves := channel.Of[int]("heap/move")
	in, typed := io.Pipe()
	printed, out := io.Pipe()
	bob := make(chan error, 1)
	go func() { // stops with the game, which alice ends
		bob <- play(t.Context(), newHeap(5), b, false, in, out)
		out.Close()
	}()
	s := bufio.NewScanner(printed)
	until := func(text string) {
		for s.Scan() {
			if strings.Contains(s.Text(), text) {
				return
			}
		}
		t.Errorf("bob never saw %q", text)
	}
	takes := func(n int) {
		until("Your move")
		_, err := fmt.Fprintln(typed, n)
		require.NoError(t, err)
		move, err := receive(t.Context(), a, moves)
		require.NoError(t, err)
		require.Equal(t, n, move)
	}
	until("playing with") // so that all is printed that comes
	tossed := make(chan bool, 1)
	go func() { // stops with the toss
		first, err := toss(t.Context(), a, "heap", true)
		assert.NoError(t, err)
		tossed <- first
	}()
	until("ou are ") // after the toss
	if first := <-tossed; !first {
		takes(1)
	}
	_, err := fmt.Fprintln(typed, "3\x1b")
	require.NoError(t, err)
	until(`It is not your turn: "3\x1b" is dropped.`)
	require.NoError(t, moves.Send(t.Context(), a, 1))
	takes(2)
	require.NoError(t, a.Close())
	for s.Scan() { // to the end
	}
	require.Error(t, <-bob)
	require.NoError(t, typed.Close())
}

// TestHeads shows that what either player puts in changes the toss, one way about as often as the other.
func TestHeads(t *testing.T) {
	var byOpener, byOther int
	for i := range 256 {
		if heads([]byte{byte(i)}, []byte{0}) {
			byOpener++
		}
		if heads([]byte{0}, []byte{byte(i)}) {
			byOther++
		}
	}
	assert.InDelta(t, 128, byOpener, 32)
	assert.InDelta(t, 128, byOther, 32)
}

// TestToss has the two sides always agree.
func TestToss(t *testing.T) {
	a, b := pipe(t)
	for range 8 {
		theirs := make(chan bool, 1)
		go func() { // stops with the toss
			first, err := toss(t.Context(), b, "heap", false)
			assert.NoError(t, err)
			theirs <- first
		}()
		first, err := toss(t.Context(), a, "heap", true)
		require.NoError(t, err)
		assert.NotEqual(t, first, <-theirs)
	}
}

// TestFouls has alice cheat in several ways. Bob's program ends the game and says why, to both.
func TestFouls(t *testing.T) {
	moves, coin := channel.Of[int]("heap/move"), channel.Of[[]byte]("heap/toss")
	afterToss := func(foul func(ctx context.Context, p *client.Pipe) error) func(context.Context, *client.Pipe) error {
		return func(ctx context.Context, p *client.Pipe) error {
			first, err := toss(ctx, p, "heap", true)
			if err == nil && !first {
				_, err = receive(ctx, p, moves)
			}
			return errors.Join(err, foul(ctx, p))
		}
	}
	for name, c := range map[string]struct {
		alice func(ctx context.Context, p *client.Pipe) error
		foul  string
	}{
		"toss changed": {func(ctx context.Context, p *client.Pipe) error {
			hash := sha256.Sum256(make([]byte, secretSize))
			err := coin.Send(ctx, p, hash[:])
			_, err2 := receive(ctx, p, coin)
			return errors.Join(err, err2, coin.Send(ctx, p, bytes.Repeat([]byte{1}, secretSize)))
		}, "a toss that was changed afterwards"},
		"toss without a hash": {func(ctx context.Context, p *client.Pipe) error {
			err := coin.Send(ctx, p, nil)
			_, err2 := receive(ctx, p, coin)
			return errors.Join(err, err2, coin.Send(ctx, p, nil))
		}, "a toss that was changed afterwards"},
		"move against the rules": {afterToss(func(ctx context.Context, p *client.Pipe) error {
			return moves.Send(ctx, p, 4)
		}), "move 4: 4 of "},
		"other channel": {afterToss(func(ctx context.Context, p *client.Pipe) error {
			return p.Send(ctx, "news", nil)
		}), `a message on channel "news", where one on "heap/move" was due`},
		"no move": {afterToss(func(ctx context.Context, p *client.Pipe) error {
			return p.Send(ctx, "heap/move", []byte("\x1b[2J"))
		}), `a message on channel "heap/move" that is not what belongs there`},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pipe(t)
			bob := start(t.Context(), newHeap(20), b, false, types("1"))
			require.NoError(t, c.alice(t.Context(), a))
			err := <-bob.err
			assert.ErrorContains(t, err, "alice does not play by the rules: "+c.foul)
			_, err = a.Receive(t.Context())
			var closed *channel.CloseError
			require.ErrorAs(t, err, &closed)
			assert.Equal(t, CodeFoul, closed.Code)
			assert.Contains(t, closed.Text, c.foul)
		})
	}
}

// TestShortToss is a foul of the player who has not opened the pipe.
func TestShortToss(t *testing.T) {
	a, b := pipe(t)
	coin := channel.Of[[]byte]("heap/toss")
	alice := start(t.Context(), newHeap(5), a, true, strings.NewReader(""))
	_, err := receive(t.Context(), b, coin)
	require.NoError(t, err)
	require.NoError(t, coin.Send(t.Context(), b, []byte("heads")))
	assert.EqualError(t, <-alice.err, "bob does not play by the rules: a toss of another size")
}

// TestLeaves ends the game while the player is to type a move, or waits for one.
func TestLeaves(t *testing.T) {
	a, b := pipe(t)
	typing, typed := io.Pipe()
	defer typed.Close()
	alice := start(t.Context(), newHeap(5), a, true, typing)
	_, err := toss(t.Context(), b, "heap", false)
	require.NoError(t, err)
	require.NoError(t, b.CloseWithReason(CodeFoul, "\x1b[2J"))
	err = <-alice.err
	assert.ErrorContains(t, err, "bob has ended the game: ")
	assert.ErrorIs(t, err, CodeFoul)
	assert.NotContains(t, err.Error(), "\x1b")
}

// TestInterrupt ends the player's own context, which is to give up.
func TestInterrupt(t *testing.T) {
	a, b := pipe(t)
	ctx, stop := context.WithCancel(t.Context())
	typing, typed := io.Pipe()
	defer typed.Close()
	alice := start(ctx, newHeap(5), a, true, typing)
	_, err := toss(t.Context(), b, "heap", false)
	require.NoError(t, err)
	stop()
	assert.NoError(t, <-alice.err)
	assert.Contains(t, alice.out.String(), "You give up.\n")
	for err == nil { // alice may have begun
		_, err = b.Receive(t.Context())
	}
	assert.ErrorIs(t, err, channel.CodeCanceled)
}
