package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// recorder keeps the bytes of streams, each in one piece, so that what was cut by a write is still found.
type recorder struct {
	mu      sync.Mutex
	streams []*bytes.Buffer
}

func (r *recorder) stream() io.Writer {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := new(bytes.Buffer)
	r.streams = append(r.streams, b)
	return &recording{r, b}
}

// recording is one stream of a recorder.
type recording struct {
	of *recorder
	b  *bytes.Buffer
}

func (w *recording) Write(p []byte) (int, error) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.b.Write(p)
}

func (r *recorder) has(what []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.streams {
		if bytes.Contains(b.Bytes(), what) {
			return true
		}
	}
	return false
}

func (r *recorder) size() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.streams {
		n += b.Len()
	}
	return n
}

// mark is where a recorder of one stream is at the moment; since gives what came after.
func (r *recorder) mark() int { return r.size() }

func (r *recorder) since(mark int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.streams[0].Bytes()[mark:])
}

// recordingListener records what its connections carry, as it is on the network.
type recordingListener struct {
	net.Listener
	to *recorder
}

func (l *recordingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recordingConn{c, l.to.stream(), l.to.stream()}, nil
}

type recordingConn struct {
	net.Conn
	in, out io.Writer
}

func (c *recordingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Write(p[:n])
	return n, err
}

func (c *recordingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.Write(p[:n])
	return n, err
}

// tap stands between a client and the server, and sees what the server sees: it has the server's
// private key, so the client's layer of encryption to the server ends here as it would there. It
// begins another one to the server in the client's name, which it can because the demo has that key
// too. What is encrypted within, it has no more of a key to than the server.
type tap struct {
	server, client *keys.PrivateKey
	up, down       *recorder
	toUp, toDown   io.Writer
	wg             sync.WaitGroup
}

func newTap(server, client *keys.PrivateKey) *tap {
	t := &tap{server: server, client: client, up: &recorder{}, down: &recorder{}}
	t.toUp, t.toDown = t.up.stream(), t.down.stream()
	return t
}

// dial is for client.Config.DialContext, once.
func (t *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	real, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	t.wg.Go(func() { // stops when either side closes
		defer far.Close()
		defer real.Close()
		_ = t.join(far, real) // both sides see the end of the connection
	})
	return near, nil
}

// wait waits until the tap has nothing left to do.
func (t *tap) wait() { t.wg.Wait() }

// join runs both handshakes and then passes on what is said.
func (t *tap) join(client, server net.Conn) error {
	ctx := context.Background() // the handshakes have their time limits
	pending, err := secure.Accept(ctx, client, &secure.Config{Key: t.server})
	if err != nil {
		return err
	}
	verify := func(key keys.PublicKey) error {
		if key != t.server.Public() {
			return errors.New("not the demo's server")
		}
		return nil
	}
	up, err := secure.Initiate(ctx, server, &secure.Config{Key: t.client, Hello: pending.Hello(), VerifyPeer: verify})
	if err != nil {
		pending.Close()
		return fmt.Errorf("joining the demo's server: %w", err)
	}
	down, err := pending.Welcome(ctx, up.Welcome())
	if err != nil {
		return err
	}
	var both sync.WaitGroup
	both.Go(func() { pass(up, down, t.toUp) }) // these two stop when either side closes
	both.Go(func() { pass(down, up, t.toDown) })
	both.Wait()
	return nil
}

// pass copies one direction, its end included, record by record: the layer that survives lost
// connections begins each with a head of its own.
func pass(to, from *secure.Conn, seen io.Writer) {
	for {
		record, err := from.ReadRecord()
		if errors.Is(err, io.EOF) {
			if err = to.CloseWrite(); err == nil {
				return
			}
		}
		if err == nil {
			seen.Write(record)
			_, err = to.Write(record)
		}
		if err != nil {
			to.Close()
			from.Close()
			return
		}
	}
}
