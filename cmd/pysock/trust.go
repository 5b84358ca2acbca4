package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pysock/pysock/keys"
)

var trustCommand = &command{
	name:  "trust",
	brief: "show or change whose keys a key file trusts",
	usage: `Usage: pysock trust list   --keys FILE [--json]
       pysock trust add    --keys FILE NAME KEY [--replace]
       pysock trust add    --keys FILE [--address HOST:PORT] server KEY
                           [--replace]
       pysock trust remove --keys FILE NAME

In a client's file these are its peers, whom it opens pipes to and accepts them
from, and, under the name "server", the server. In a server's they are its
clients: who may enter, under which name. "list" prints NAME KEY FINGERPRINT,
one a line. A running server takes the change when it gets SIGHUP; a running
listen when its owner ends it and starts again.

    --keys FILE           the key file
    --replace             the name may have another key already: it gets the new
                          one
    --address HOST:PORT   for add server: where the server is, unless the file
                          says so already
    --as client|peer      which list is meant, for a file that does not say:
                          that of peers in one that has nothing of a server's
                          or a client's, unless its name is server
    --json                for list: an array of objects with name, key and
                          fingerprint
` + keyFlagsUsage,
	run: runTrust,
}

// trustArgs is what the arguments of trust ask for.
type trustArgs struct {
	keyFlags
	action  string
	name    string
	key     keys.PublicKey
	replace bool
	json    bool
	as      string
	address string // of the server
}

func parseTrust(args []string) (*trustArgs, error) {
	o := &trustArgs{}
	fs := newFlags("trust")
	o.register(fs)
	fs.BoolVar(&o.replace, "replace", false, "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.StringVar(&o.as, "as", "", "")
	fs.StringVar(&o.address, "address", "", "")
	rest, err := parse(fs, args, -1)
	if err != nil {
		return nil, err
	}
	want := map[string]int{"list": 0, "add": 2, "remove": 1}
	if len(rest) == 0 {
		return nil, usagef("say what to do: add, remove or list")
	}
	o.action = rest[0]
	n, ok := want[o.action]
	switch {
	case !ok:
		return nil, usagef("%q is not one of add, remove and list", o.action)
	case len(rest)-1 != n:
		return nil, usagef("trust %s wants %d arguments and not %d", o.action, n, len(rest)-1)
	case o.json && o.action != "list":
		return nil, usagef("--json goes with list")
	case o.replace && o.action != "add":
		return nil, usagef("--replace goes with add")
	case o.as != "" && o.as != "client" && o.as != "peer":
		return nil, usagef("--as is client or peer")
	}
	if n > 0 {
		if o.name, err = keys.NormalizeName(rest[1]); err != nil {
			return nil, usageError{err}
		}
		if o.action == "add" && !o.server() {
			if err := keys.CheckClientName(o.name); err != nil {
				return nil, usageError{err}
			}
		}
	}
	if o.address != "" {
		if o.action != "add" || !o.server() {
			return nil, usagef("--address goes with add server")
		}
		if _, err := keys.NormalizeAddress(o.address); err != nil {
			return nil, usagef("--address: %w", err)
		}
	}
	if n > 1 {
		if o.key, err = keys.ParsePublicKey(rest[2]); err != nil {
			return nil, usagef("the key: %w", err)
		}
	}
	return o, o.check()
}

func runTrust(e *env, args []string) error {
	o, err := parseTrust(args)
	if err != nil {
		return err
	}
	if o.action == "list" {
		return o.list(e.stdout)
	}
	var told string
	clients := false // a server's have changed
	err = keys.Update(o.path, nil, func(f *keys.File) error {
		whose, entries, err := o.entries(f)
		if err != nil {
			return err
		}
		if o.server() {
			told, err = o.changeServer(f, whose)
			return err
		}
		change := o.add
		if o.action == "remove" {
			change = o.remove
		}
		before := maps.Clone(*entries)
		told, err = change(f, whose, entries)
		clients = whose == "client" && !maps.Equal(before, *entries)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stderr, told)
	if clients {
		fmt.Fprintln(e.stderr, "a server that is running takes this in when it gets SIGHUP, or is started again")
	}
	return nil
}

// entries finds the list that is meant, and what to call one on it.
func (o *trustArgs) entries(f *keys.File) (whose string, entries *map[string]keys.PublicKey, err error) {
	server := f.Clients != nil || f.Open || f.Listen != ""
	client := f.Server != nil || f.Peers != nil
	if !server && !client {
		server = o.as == "client" || o.as == "" && f.Name == keys.ServerName
		client = !server
	}
	switch {
	case server && (!client || o.as == "client"):
		whose, entries = "client", &f.Clients
	case client && (!server || o.as == "peer"):
		whose, entries = "peer", &f.Peers
	default:
		return "", nil, fmt.Errorf("%s has parts of a client's and of a server's key file: use --as peer for the peers, or --as client for the clients",
			strconv.Quote(o.path))
	}
	if o.as != "" && o.as != whose {
		return "", nil, fmt.Errorf("%s has a list of %ss, not of %ss: leave --as out", strconv.Quote(o.path), whose,
			o.as)
	}
	return whose, entries, nil
}

// add puts the name on the list, or says why not.
func (o *trustArgs) add(f *keys.File, whose string, entries *map[string]keys.PublicKey) (string, error) {
	if o.key == f.Public {
		return "", fmt.Errorf("this is the key of %s itself; give the one of %q", strconv.Quote(o.path), o.name)
	}
	old, there := (*entries)[o.name]
	switch {
	case there && old == o.key:
		return fmt.Sprintf("%s %q was trusted already: %s", whose, o.name, o.key.Fingerprint()), nil
	case there && !o.replace:
		return "", fmt.Errorf("the %s %q has another key: %s, not %s; ask its owner for the fingerprint, and only if it is the second one, add --replace",
			whose, o.name, old.Fingerprint(), o.key.Fingerprint())
	}
	for name, key := range *entries {
		if key == o.key {
			return "", fmt.Errorf("the key is that of the %s %q already: remove that one first", whose, name)
		}
	}
	if *entries == nil {
		*entries = map[string]keys.PublicKey{}
	}
	(*entries)[o.name] = o.key
	if there {
		return fmt.Sprintf("%s %q now has the key %s in place of %s", whose, o.name, o.key.Fingerprint(),
			old.Fingerprint()), nil
	}
	return fmt.Sprintf("%s %q is trusted: %s; compare the fingerprint with its owner", whose, o.name,
		o.key.Fingerprint()), nil
}

// remove takes the name off the list.
func (o *trustArgs) remove(_ *keys.File, whose string, entries *map[string]keys.PublicKey) (string, error) {
	key, there := (*entries)[o.name]
	if !there {
		return "", fmt.Errorf("%q is not on the list of %ss: pysock trust list shows who is", o.name, whose)
	}
	delete(*entries, o.name)
	return fmt.Sprintf("%s %q is not trusted any more: %s", whose, o.name, key.Fingerprint()), nil
}

// trusted is one entry of the list for programs.
type trusted struct {
	Name        string         `json:"name"`
	Key         keys.PublicKey `json:"key"`
	Fingerprint string         `json:"fingerprint"`
}

func (o *trustArgs) list(out io.Writer) error {
	f, err := o.loadPublic()
	if err != nil {
		return err
	}
	whose, entries, err := o.entries(f)
	if err != nil {
		return err
	}
	all := []trusted{} // and not null
	if whose == "peer" && f.Server != nil && !f.Server.Key.IsZero() {
		all = append(all, trusted{keys.ServerName, f.Server.Key, f.Server.Key.Fingerprint()})
	}
	for _, name := range slices.Sorted(maps.Keys(*entries)) {
		key := (*entries)[name]
		all = append(all, trusted{name, key, key.Fingerprint()})
	}
	var text strings.Builder
	if o.json {
		data, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		text.Write(append(data, '\n'))
	}
	for _, t := range all {
		if !o.json {
			fmt.Fprintf(&text, "%s %s %s\n", t.Name, t.Key, t.Fingerprint)
		}
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return writingError(err)
	}
	return nil
}
