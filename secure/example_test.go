package secure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// A client that knows its server's key, and a server that knows its clients'.
func Example() {
	alice, _ := keys.GeneratePrivateKey()
	server, _ := keys.GeneratePrivateKey()
	ctx := context.Background()
	a, b := net.Pipe() // any net.Conn

	go func() {
		pending, err := secure.Accept(ctx, b, &secure.Config{Key: server})
		if err != nil {
			return
		}
		if pending.PeerKey() != alice.Public() {
			pending.Refuse(ctx, 1, "not on the list")
			return
		}
		conn, err := pending.Welcome(ctx, []byte("you are alice"))
		if err != nil {
			return
		}
		defer conn.Close()
		io.Copy(conn, conn) // echo
	}()

	conn, err := secure.Initiate(ctx, a, &secure.Config{
		Key: alice,
		VerifyPeer: func(k keys.PublicKey) error {
			if k != server.Public() {
				return errors.New("not the server we know")
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Printf("%s\n", conn.Welcome())

	conn.Write([]byte("hello"))
	answer := make([]byte, 5)
	_, err = io.ReadFull(conn, answer)
	fmt.Printf("%s %v\n", answer, err)
	// Output:
	// you are alice
	// hello <nil>
}
