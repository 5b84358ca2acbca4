// Connectfour is the game of four in a row between two people in their terminals, as HiSock had it
// among its examples. The moves go through an encrypted pipe: each player has proven a key that the
// other's file names, and the server between them reads none.
//
//	connectfour bob.yaml          waits for somebody to play with
//	connectfour alice.yaml bob    plays with bob
//
// The rules are in board.go; what all games for two need, and who begins, is in examples/internal/game.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/pysock/pysock/examples/internal/game"
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		log.Fatal("usage: connectfour KEYFILE [PEER]")
	}
	peer := ""
	if len(os.Args) == 3 {
		peer = os.Args[2]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	g := game.Game{Name: "connectfour", Move: "a column, 1 to 7", Marks: [2]string{"●", "○"}, Board: new(board)}
	if err := game.Run(ctx, g, os.Args[1], peer); err != nil {
		log.Fatal(err)
	}
}
