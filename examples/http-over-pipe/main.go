// Http-over-pipe serves HTTP to a peer that no network could reach otherwise: each connection is a
// stream of an encrypted pipe. Bob serves from behind his router, alice asks, and the server
// between them sees only that they talk.
//
//	http-over-pipe bob.yaml                  serves
//	http-over-pipe alice.yaml http://bob/    asks
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		log.Fatal("usage: http-over-pipe KEYFILE [URL]")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, keyFile string, urls []string) error {
	id, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, "", &client.Config{Keys: id})
	if err != nil {
		return err
	}
	if len(urls) == 0 {
		err = serve(ctx, c)
	} else {
		err = get(ctx, c, urls[0])
	}
	return errors.Join(err, c.Close())
}

// serve answers HTTP requests on the streams named http that peers open.
func serve(ctx context.Context, c *client.Client) error {
	ln, err := c.Listen("http")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: http.HandlerFunc(hello)}
	go func() { // stops with the connection, or when ctx ends
		log.Print(c.Run(ctx)) // takes the pipes that peers open
		web.Close()
	}()
	fmt.Println("serving as", c.Name())
	return web.Serve(ln)
}

// hello greets the client by a name that nobody can borrow: the address of a stream is the name of
// the peer that opened it, and the stream's.
func hello(w http.ResponseWriter, r *http.Request) {
	peer, _, _ := strings.Cut(r.RemoteAddr, "/")
	if peer == keys.ServerName {
		http.Error(w, "for peers only", http.StatusForbidden) // the server can open streams too
		return
	}
	fmt.Fprintf(w, "Hello, %s!\n", peer)
}

// get prints what the peer that the URL's host names answers.
func get(ctx context.Context, c *client.Client, address string) error {
	to, err := url.Parse(address)
	if err != nil {
		return err
	}
	p, err := c.OpenPipe(ctx, to.Hostname())
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.OpenStream(ctx, "http") },
	}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}
