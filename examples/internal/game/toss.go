package game

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
)

// secretSize is how many random bytes each player puts into the toss.
const secretSize = 32

// toss decides by chance who begins, and reports whether it is this end. Who opened the pipe
// chooses a secret and sends its hash, the other answers with random bytes, and only then is the
// secret told. So neither can choose what suits the other's: the hash says nothing about the
// secret, and lets no other take its place.
func toss(ctx context.Context, p *client.Pipe, name string, opened bool) (first bool, err error) {
	coin := channel.Of[[]byte](name + "/toss")
	mine := make([]byte, secretSize)
	rand.Read(mine) // never fails
	if !opened {
		return tossSecond(ctx, p, coin, mine)
	}
	hash := sha256.Sum256(mine)
	if err := coin.Send(ctx, p, hash[:]); err != nil {
		return false, err
	}
	theirs, err := receive(ctx, p, coin)
	if err != nil {
		return false, err
	}
	if len(theirs) != secretSize {
		return false, &foulError{"a toss of another size"}
	}
	return heads(mine, theirs), coin.Send(ctx, p, mine)
}

// tossSecond is the part of the player who has not opened the pipe.
func tossSecond(ctx context.Context, p *client.Pipe, coin channel.Typed[[]byte], mine []byte) (first bool, err error) {
	hash, err := receive(ctx, p, coin)
	if err != nil {
		return false, err
	}
	if err := coin.Send(ctx, p, mine); err != nil {
		return false, err
	}
	theirs, err := receive(ctx, p, coin)
	if err != nil {
		return false, err
	}
	if sum := sha256.Sum256(theirs); len(theirs) != secretSize || !bytes.Equal(sum[:], hash) {
		return false, &foulError{"a toss that was changed afterwards"}
	}
	return !heads(theirs, mine), nil
}

// heads reports whether who opened the pipe begins.
func heads(opener, other []byte) bool {
	both := sha256.Sum256(slices.Concat(opener, other))
	return both[0]&1 == 0
}
