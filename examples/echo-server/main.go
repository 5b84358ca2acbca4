// Echo-server is the sample server of PySock's document: it sends back what
// clients say on the channel "test". Its key file says who they are, and where it listens.
package main

import (
	"context"
	"log"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

func main() {
	id, err := keys.Load("server.yaml")
	check(err)
	srv := &server.Server{Keys: id, Handler: new(channel.Mux)}
	srv.Handler.Handle("test", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		log.Printf("%s says %q", m.From.Name, m.Body)
		return from.Send(ctx, "test", m.Body)
	})
	check(srv.ListenAndServe(context.Background(), ""))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
