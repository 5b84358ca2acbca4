//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// usage is what the server says of itself for each line that it reads.
type usage struct {
	CPU    time.Duration
	Memory uint64 // resident, in bytes
}

// serveUntilTold is the server's process: it prints its address, answers each line of standard
// input with its usage, and ends with it.
func serveUntilTold() error {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	if !in.Scan() {
		return in.Err()
	}
	f, err := keys.Parse("server", []byte(strings.ReplaceAll(in.Text(), "\t", "\n")), nil)
	if err != nil {
		return err
	}
	var mux channel.Mux
	mux.Handle("sink", func(context.Context, channel.Conn, *channel.Message) error { return nil })
	mux.Handle("echo", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return m.Reply(ctx, m.Body)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f.Open = true // for the members of a group
	srv := &server.Server{Keys: f, Handler: &mux, Limits: server.Limits{MaxTransient: 1 << 20, MaxSessions: 1 << 20},
		AllowGroups: func(channel.Peer, []string) error { return nil }}
	mux.Handle("fan", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		_, err := srv.Group("all").Send(ctx, "out", m.Body)
		return err
	})
	go srv.Serve(context.Background(), ln) // ends with the process
	fmt.Println(ln.Addr())
	for in.Scan() {
		if in.Text() == "settle" {
			runtime.GC()
			debug.FreeOSMemory()
		}
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			return err
		}
		u := usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Memory: resident()}
		if err := json.NewEncoder(os.Stdout).Encode(u); err != nil {
			return err
		}
	}
	return in.Err()
}

// resident is the memory of the process that is not swapped or shared with files, as Linux tells it; 0 elsewhere.
func resident() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, _ := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// world is a server in another process, and the key files of two clients.
type world struct {
	alice, bob *keys.File
	cmd        *exec.Cmd
	in         interface{ Write([]byte) (int, error) }
	out        *bufio.Scanner
}

func newWorld() (*world, error) {
	files := map[string]*keys.File{}
	for _, name := range []string{"server", "alice", "bob"} {
		key, err := keys.GeneratePrivateKey()
		if err != nil {
			return nil, err
		}
		files[name] = &keys.File{Name: name, Private: key, Public: key.Public()}
	}
	w := &world{alice: files["alice"], bob: files["bob"]}
	w.alice.Peers = map[string]keys.PublicKey{"bob": w.bob.Public}
	w.bob.Peers = map[string]keys.PublicKey{"alice": w.alice.Public}
	files["server"].Clients = map[string]keys.PublicKey{"alice": w.alice.Public, "bob": w.bob.Public}
	text, err := files["server"].Encode(nil)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w.cmd = exec.Command(self, "-serve")
	w.cmd.Stderr = os.Stderr
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	w.in, w.out = in, bufio.NewScanner(out)
	if _, err := fmt.Fprintln(in, strings.ReplaceAll(string(text), "\n", "\t")); err != nil {
		return nil, err
	}
	if !w.out.Scan() {
		return nil, fmt.Errorf("the server did not start: %w", w.out.Err())
	}
	ref := &keys.ServerRef{Address: w.out.Text(), Key: files["server"].Public}
	w.alice.Server, w.bob.Server = ref, ref
	return w, nil
}

// usage asks the server what it has used so far; settled lets it collect garbage before.
func (w *world) usage(settled bool) (u usage, err error) {
	ask := "usage"
	if settled {
		ask = "settle"
	}
	if _, err = fmt.Fprintln(w.in, ask); err != nil {
		return u, err
	}
	if !w.out.Scan() {
		return u, fmt.Errorf("the server has ended: %w", w.out.Err())
	}
	return u, json.Unmarshal(w.out.Bytes(), &u)
}

func (w *world) close() {
	_ = w.cmd.Process.Kill() // it has nothing to lose
	_ = w.cmd.Wait()         // says that it was killed
}
