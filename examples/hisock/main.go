// Hisock is the server and the client of HiSock's README. The server greets who joins and announces
// it to everybody, and computes what clients ask for: not with Python's eval, as there, which gave
// each of them the server, but with arithmetic of its own (calc.go).
//
//	hisock serve server.yaml
//	hisock join alice.yaml      then type expressions, such as (1+2)*3
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/pysock/pysock/channel"
)

// What the server says without being asked. Expressions are requests on "compute".
var (
	hello = channel.Of[time.Time]("hello")
	news  = channel.Of[string]("news")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := errors.New("usage: hisock serve|join KEYFILE")
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case "serve":
			err = serve(ctx, os.Args[2])
		case "join":
			err = join(ctx, os.Args[2], os.Stdin)
		}
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}
