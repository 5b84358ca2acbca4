// Chat is a chat room, or several. A room is a group of the server's clients: what somebody says
// there the server passes on to the others, and keeps the last lines of for those who come later.
// What is for one person alone goes through an encrypted pipe.
//
//	chat serve server.yaml lobby garden    with these rooms
//	chat join alice.yaml lobby             enters one, or more; then type lines, or /help
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"

	"github.com/pysock/pysock/channel"
)

var (
	say     = channel.Of[string]("say")     // a line in a room
	whisper = channel.Of[string]("whisper") // a line for one person
)

// historyOf is the name of the history of a room.
func historyOf(room string) string { return room + "/" + say.Name() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := errors.New("usage: chat serve|join KEYFILE ROOMS")
	if len(os.Args) > 3 {
		switch os.Args[1] {
		case "serve":
			err = serve(ctx, os.Args[2], os.Args[3:])
		case "join":
			err = join(ctx, os.Args[2], os.Args[3:], os.Stdin)
		}
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}
