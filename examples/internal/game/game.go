// Package game lets two people play against each other, each in a terminal of their own. It connects them with an
// encrypted pipe, for which each proves its key, lets chance decide who begins in a way that neither can bend, and
// then takes turns. Both sides know the rules, and neither believes the other: who breaks them ends the game.
package game

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/examples/internal/lines"
	"github.com/pysock/pysock/keys"
)

// CodeFoul is the reason with which a pipe is closed whose peer does not play by the rules.
const CodeFoul = channel.CodeApplication

// A Game is one that two players can play.
type Game struct {
	Name  string    // of the game, which names the channels too: who plays something else is told so
	Move  string    // what to type: "a square, 1 to 9"
	Marks [2]string // how the board shows the players
	Board Board     // at the beginning
}

// A Board is the state of a game and its rules. The players are 0, who begins, and 1; they take turns.
type Board interface {
	// Play makes a move. The error says why the rules forbid it, and the board is then as before.
	// It has to be fit to be seen by both players.
	Play(player, move int) error
	// Over reports whether the game is over, and who has won: -1 if nobody has.
	Over() (winner int, over bool)
	// String is a picture of the board, which ends with a line break.
	String() string
}

// Run connects with the key file and plays the game once: with a peer of the key file or, if that
// is "", with the first who asks. Moves are lines of the standard input; what is typed when it is
// not our turn is dropped, and the player told so. Run returns nil when the game is over. It waits
// for as long as that takes; the end of the input where a move is due gives up, and so does ctx's.
func Run(ctx context.Context, g Game, keyFile, peer string) error {
	id, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, "", &client.Config{Keys: id})
	if err != nil {
		return err
	}
	var p *client.Pipe
	if peer == "" {
		fmt.Printf("%s waits for somebody to play %s with\n", c.Name(), g.Name)
		p, err = c.AcceptPipe(ctx)
	} else {
		p, err = c.OpenPipe(ctx, peer)
	}
	if err == nil {
		err = play(ctx, g, p, peer != "", os.Stdin, os.Stdout)
	}
	return errors.Join(err, c.Close())
}

// play plays the game through a pipe, which opened says that this end has opened.
func play(ctx context.Context, g Game, p *client.Pipe, opened bool, in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	fmt.Fprintln(out, "playing with", p.Peer())
	m := &match{Game: g, pipe: p, moves: channel.Of[int](g.Name + "/move"), lines: lines.Read(ctx, in), out: out}
	var first bool
	err := m.meanwhile(func() (err error) {
		first, err = toss(ctx, p, g.Name, opened)
		return err
	})
	if err == nil {
		err = m.play(ctx, first)
	}
	peer := p.Peer().Name
	var foul *foulError
	var closed *channel.CloseError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errGivenUp), ctx.Err() != nil:
		fmt.Fprintln(out, "You give up.")
		return p.CloseWithReason(channel.CodeCanceled, "gives up")
	case errors.As(err, &foul):
		_ = p.CloseWithReason(CodeFoul, foul.text) // that it did not hear why is the peer's loss
		return fmt.Errorf("%s does not play by the rules: %w", peer, err)
	case errors.As(err, &closed):
		return fmt.Errorf("%s has ended the game: %w", peer, err)
	}
	return err
}

// foulError is something that an honest peer does not do.
type foulError struct {
	text string // what; for both players to see
}

func (e *foulError) Error() string { return e.text }

// receive waits for the next message of the peer, which has to be of a channel.
func receive[T any](ctx context.Context, p *client.Pipe, c channel.Typed[T]) (T, error) {
	var none T
	m, err := p.Receive(ctx)
	if err != nil {
		return none, err
	}
	if m.Channel != c.Name() {
		return none, &foulError{fmt.Sprintf("a message on channel %q, where one on %q was due", m.Channel, c.Name())}
	}
	v, err := c.Decode(m)
	if err != nil {
		return none, &foulError{fmt.Sprintf("a message on channel %q that is not what belongs there", c.Name())}
	}
	return v, nil
}
