package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

// clientFlags are those of every command that connects to a server.
type clientFlags struct {
	keyFlags
	command      string // whose flags these are
	servers      list
	firstUse     bool
	knownServers string
	knownPeers   string
	several      bool // the server has more than one address
}

const clientFlagsUsage = `    --server HOST:PORT    the server's address; may be repeated if it has
                          several: they are tried in turn (default: those of
                          the key file)
    --trust-on-first-use  believe a server or peer that the key file has no key
                          of, print its fingerprint, remember it, and refuse
                          another key from then on
    --known-servers F     where servers are remembered (default: in the user's
                          configuration)
    --known-peers F       where peers are remembered (default: in the user's
                          configuration)
` + keyFlagsUsage

func (c *clientFlags) register(fs *flag.FlagSet) {
	c.keyFlags.register(fs)
	c.command = fs.Name()
	fs.Var(&c.servers, "server", "")
	fs.BoolVar(&c.firstUse, "trust-on-first-use", false, "")
	fs.StringVar(&c.knownServers, "known-servers", "", "")
	fs.StringVar(&c.knownPeers, "known-peers", "", "")
}

func (c *clientFlags) check() error {
	if err := c.keyFlags.check(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, address := range c.servers {
		normal, err := keys.NormalizeAddress(address)
		if err != nil {
			return usagef("--server: %w", err)
		}
		if seen[normal] {
			return usagef("--server %q is given twice", address)
		}
		seen[normal] = true
	}
	if !c.firstUse && (c.knownServers != "" || c.knownPeers != "") {
		return usagef("--known-servers and --known-peers go with --trust-on-first-use")
	}
	return nil
}

// load reads the key file, which must not be a server's.
func (c *clientFlags) load() (*keys.File, error) {
	f, err := c.keyFlags.load()
	if err != nil {
		return nil, err
	}
	client := f.Server != nil || f.Peers != nil
	if strings.EqualFold(f.Name, keys.ServerName) || !client && (f.Clients != nil || f.Open || f.Listen != "") {
		return nil, fmt.Errorf("%s is a server's key file: %s wants a client's", strconv.Quote(c.path), c.command)
	}
	return f, nil
}

// addresses are where the server is: the arguments' or the key file's.
func (c *clientFlags) addresses(f *keys.File) ([]string, error) {
	switch {
	case len(c.servers) > 0:
		return c.servers, nil
	case f.Server != nil:
		return append([]string{f.Server.Address}, f.Server.Also...), nil
	}
	return nil, fmt.Errorf("%s does not say where the server is: give --server HOST:PORT, or add it with: pysock trust add --keys %s --address HOST:PORT server pysock1…",
		strconv.Quote(c.path), shellPath(c.path))
}

// dial connects with a key file. It completes cfg, and tells about keys that it learns.
func (c *clientFlags) dial(ctx context.Context, e *env, f *keys.File, cfg *client.Config) (*client.Client, error) {
	addresses, err := c.addresses(f)
	if err != nil {
		return nil, err
	}
	cfg.Keys, cfg.Addresses, c.several = f, addresses[1:], len(addresses) > 1
	if err := c.remember(cfg, addresses[0]); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, address := range addresses {
		known[address] = f.Server != nil && !f.Server.Key.IsZero()
		if !known[address] && cfg.KnownServers != nil {
			if _, known[address], err = cfg.KnownServers.Lookup(address); err != nil {
				return nil, err
			}
		}
	}
	conn, err := client.Dial(ctx, addresses[0], cfg)
	if err != nil {
		return nil, dialError(ctx, addresses, f, err)
	}
	if at := conn.State().Address; !known[at] {
		learnt(e.stderr, "server at "+strconv.Quote(at), conn.Peer().Key, cfg.KnownServers.Path())
	}
	return conn, nil
}

// remember sets the stores of trust on first use, if it is wanted.
func (c *clientFlags) remember(cfg *client.Config, address string) (err error) {
	if !c.firstUse {
		return nil
	}
	servers, peers := c.knownServers, c.knownPeers
	if servers == "" {
		if servers, err = keys.DefaultKnownServers(); err != nil {
			return err
		}
	}
	if peers == "" {
		if peers, err = keys.DefaultKnownPeers(); err != nil {
			return err
		}
	}
	if cfg.KnownServers, err = keys.OpenKnownServers(servers); err != nil {
		return err
	}
	cfg.KnownPeers, err = keys.OpenKnownPeers(peers, cfg.Keys.Public, address)
	return err
}

// learnt tells the person of a key that was believed because nothing said otherwise.
func learnt(w io.Writer, who string, key keys.PublicKey, path string) {
	fmt.Fprintf(w, "met the %s for the first time; compare its fingerprint with its owner: %s (remembered in %s)\n",
		who, key.Fingerprint(), strconv.Quote(path))
}

// discard takes what the other side sends to a command that has not come to listen. It must be taken, or a server that
// echoes would wait for us while we wait for it.
func discard(_ context.Context, _ channel.Conn, m *channel.Message) error {
	if m.IsRequest() {
		return channel.CodeNoHandler
	}
	return nil
}
