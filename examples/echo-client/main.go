// Echo-client is the sample client of PySock's document: it says hello on the
// channel "test" and prints what comes back. Its key file says who it is, and where its server is.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

func main() {
	ctx := context.Background()
	id, err := keys.Load("alice.yaml")
	check(err)
	c, err := client.Dial(ctx, "", &client.Config{Keys: id})
	check(err)
	defer c.Close()
	check(c.Send(ctx, "test", []byte("Hello, World!")))
	m, err := c.Receive(ctx)
	check(err)
	fmt.Printf("%s on %s: %q\n", m.From.Name, m.Channel, m.Body)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
