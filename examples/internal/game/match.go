package game

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
)

// errGivenUp is the end of the input where a move was due.
var errGivenUp = errors.New("given up")

// match is one game under way.
type match struct {
	Game
	pipe  *client.Pipe
	moves channel.Typed[int]
	lines <-chan string // what the player types, closed at its end
	out   io.Writer
}

// play takes turns until the game is over. It returns when both sides have seen the last move.
func (m *match) play(ctx context.Context, first bool) error {
	me, peer, begins := 0, m.pipe.Peer().Name, "You begin"
	if !first {
		me, begins = 1, peer+" begins"
	}
	fmt.Fprintf(m.out, "%s. You are %s.\n", begins, m.Marks[me])
	for turn := 0; ; turn = 1 - turn {
		fmt.Fprint(m.out, m.Board)
		winner, over := m.Board.Over()
		switch {
		case over && winner == me:
			fmt.Fprintln(m.out, "You win.")
		case over && winner >= 0:
			fmt.Fprintln(m.out, peer, "wins.")
		case over:
			fmt.Fprintln(m.out, "A draw.")
		}
		if over {
			return nil
		}
		step := m.theirs
		if turn == me {
			step = m.mine
		}
		if err := step(ctx, turn); err != nil {
			return err
		}
	}
}

// mine makes the player's move, and waits until the peer has taken it.
func (m *match) mine(ctx context.Context, me int) error {
	fmt.Fprintf(m.out, "Your move (%s):\n", m.Move)
	for {
		select {
		case line, ok := <-m.lines:
			if !ok {
				return errGivenUp
			}
			move, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				err = fmt.Errorf("type %s", m.Move)
			} else {
				err = m.Board.Play(me, move)
			}
			if err != nil {
				fmt.Fprintf(m.out, "No: %v. Again:\n", err)
				continue
			}
			if err := m.moves.Send(ctx, m.pipe, move); err != nil {
				return err
			}
			return m.pipe.Flush(ctx)
		case <-m.pipe.Context().Done():
			return context.Cause(m.pipe.Context())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// meanwhile does something that takes time, and drops what is typed until it is done: nobody means
// that as an answer to a board not seen yet.
func (m *match) meanwhile(wait func() error) error {
	over, dropped := make(chan struct{}), make(chan struct{})
	go func() { // stops when wait has returned, or at the end of the input
		defer close(dropped)
		for {
			select {
			case line, ok := <-m.lines:
				if !ok {
					return
				}
				fmt.Fprintf(m.out, "It is not your turn: %q is dropped.\n", line)
			case <-over:
				return
			}
		}
	}()
	err := wait()
	close(over)
	<-dropped // out is one's at a time
	return err
}

// theirs waits for the peer's move. The peer's program may be any, so the rules are looked up here, too.
func (m *match) theirs(ctx context.Context, them int) error {
	var move int
	err := m.meanwhile(func() (err error) {
		move, err = receive(ctx, m.pipe, m.moves)
		return err
	})
	if err != nil {
		return err
	}
	if err := m.Board.Play(them, move); err != nil {
		return &foulError{fmt.Sprintf("move %d: %v", move, err)}
	}
	fmt.Fprintf(m.out, "%s plays %d.\n", m.pipe.Peer().Name, move)
	return nil
}
