package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/pysock/pysock/keys"
)

const defaultAddress = "127.0.0.1:7700"

var initCommand = &command{
	name:  "init",
	brief: "make key files for a server and its clients",
	usage: `Usage: pysock init [--dir D] [--address HOST:PORT] NAME...

Makes server.yaml and a key file NAME.yaml for each client. The server lets
these clients in, they know the server's key, and open and accept pipes to and
from each other. Nothing is overwritten: if one of the files is there already,
none is made. Without names it asks for them on a terminal, and for the address
unless it is given.

    --dir D               the folder to make them in, made if it is not there
                          (default: this one)
    --address HOST:PORT   where clients find the server (default:
                          127.0.0.1:7700, for all on this machine). The server
                          listens on that port, from elsewhere too unless HOST
                          is this machine's 127.0.0.1, ::1 or localhost
`,
	run: runInit,
}

func runInit(e *env, args []string) error {
	dir, address := ".", ""
	flags := newFlags("init")
	flags.StringVar(&dir, "dir", dir, "")
	flags.StringVar(&address, "address", address, "")
	names, err := parse(flags, args, -1)
	if err != nil {
		return err
	}
	asks := len(names) == 0 // nobody asks for what was given
	if asks && !term.IsTerminal(int(e.stdin.Fd())) {
		return usagef("the clients' names are missing: write pysock init alice bob")
	}
	if names, err = givenOrAsked(e, asks, names); err != nil {
		return err
	}
	if address, err = addressOrAsked(e, asks && address == "", address); err != nil {
		return err
	}
	files, err := family(names, address)
	if err != nil {
		return err
	}
	if err := createAll(dir, files); err != nil {
		return err
	}
	nextSteps(e.stderr, dir, files)
	return nil
}

// clientNames checks the names of clients, and that no two would have the same file.
func clientNames(names []string) ([]string, error) {
	var valid []string
	for _, name := range names {
		name, err := keys.NormalizeName(name)
		if err == nil {
			err = keys.CheckClientName(name)
		}
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(valid, func(other string) bool { return strings.EqualFold(name, other) }); i >= 0 {
			return nil, fmt.Errorf("the names %q and %q are too much alike for two files", valid[i], name)
		}
		valid = append(valid, name)
	}
	return valid, nil
}

// family makes the content of all files, the server's first.
func family(names []string, address string) ([]*keys.File, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	listen := address
	if ip := net.ParseIP(host); !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
		listen = ":" + port
	}
	files := make([]*keys.File, 0, 1+len(names))
	clients := make(map[string]keys.PublicKey, len(names))
	for _, name := range append([]string{keys.ServerName}, names...) {
		private, err := keys.GeneratePrivateKey()
		if err != nil {
			return nil, err
		}
		files = append(files, &keys.File{Name: name, Public: private.Public(), Private: private})
		if name != keys.ServerName {
			clients[name] = private.Public()
		}
	}
	server := files[0]
	server.Clients, server.Listen = clients, listen
	for _, f := range files[1:] {
		f.Server = &keys.ServerRef{Address: address, Key: server.Public}
		f.Peers = make(map[string]keys.PublicKey, len(clients)-1)
		for name, key := range clients {
			if name != f.Name {
				f.Peers[name] = key
			}
		}
	}
	return files, nil
}

func keyFile(dir string, f *keys.File) string { return filepath.Join(dir, f.Name+".yaml") }

// createAll makes all files or, if it cannot, none.
func createAll(dir string, files []*keys.File) (err error) {
	for _, f := range files {
		if _, err := os.Lstat(keyFile(dir, f)); err == nil {
			return fmt.Errorf("%s is there already and is never overwritten; move it away, or choose another folder with --dir", strconv.Quote(keyFile(dir, f)))
		}
	}
	var made []string
	defer func() {
		if err != nil {
			for _, path := range slices.Backward(made) {
				os.Remove(path)
			}
		}
	}()
	if err := os.Mkdir(dir, 0o700); err == nil {
		made = append(made, dir)
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the folder: %w", err)
	}
	for _, f := range files {
		path := keyFile(dir, f)
		if err := f.Create(path, nil); err != nil {
			return err
		}
		made = append(made, path)
		// Where others can write, the file could be made but would be refused wherever it is used.
		if _, err := keys.Load(path); err != nil {
			return err
		}
	}
	return nil
}

// nextSteps tells the person what there is now, and what to do with it.
func nextSteps(w io.Writer, dir string, files []*keys.File) {
	for _, f := range files {
		fmt.Fprintf(w, "%s  %s\n", f.Public.Fingerprint(), strconv.Quote(keyFile(dir, f)))
	}
	path := func(i int) string { return shellPath(keyFile(dir, files[i])) }
	one, other := 1, len(files)-1
	fmt.Fprintf(w, `
Each file is somebody's identity: give it to its owner over a safe way, and to nobody else.
Next, each in a terminal of its own:
    pysock serve --keys %s --echo test
    pysock listen --keys %s
    pysock send --keys %s --channel test `, path(0), path(other), path(one))
	if one == other {
		fmt.Fprintln(w, "'Hello, server!'")
		return
	}
	fmt.Fprintf(w, "--to %s 'Hello!'\n", shellWord(files[other].Name))
}
