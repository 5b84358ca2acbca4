package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"

	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/internal/tty"
	"github.com/pysock/pysock/keys"
)

func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // an error is one line, and run prints it
	return fs
}

// parse reads flags and arguments in any order; what follows "--" is arguments. There may be at
// most so many; a negative number means any. An error is a usageError or flag.ErrHelp.
func parse(fs *flag.FlagSet, args []string, most int) ([]string, error) {
	var rest []string
	for {
		if err := cli.ParseFlags(fs, args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{err}
		}
		if n := len(args) - fs.NArg(); fs.NArg() == 0 || n > 0 && args[n-1] == "--" {
			rest = append(rest, fs.Args()...)
			break
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
	if most >= 0 && len(rest) > most {
		return nil, usagef("%q is one argument too many", rest[most])
	}
	var empty error
	fs.Visit(func(f *flag.Flag) {
		if f.Value.String() == "" {
			empty = usagef("%s is given without a value", cli.FlagName(f.Name))
		}
	})
	return rest, empty
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return fmt.Sprint(len(*l)) } // not empty, which parse would refuse
func (l *list) Repeats()       {}
func (l *list) Set(s string) error {
	if s == "" {
		return errors.New("it is empty")
	}
	*l = append(*l, s)
	return nil
}

// once checks the values of a flag, none of which may be there twice.
func (l list) once(flag string, check func(string) error) error {
	seen := map[string]bool{}
	for _, s := range l {
		if err := check(s); err != nil {
			return usagef("--%s: %w", flag, err)
		}
		if seen[s] {
			return usagef("--%s %q is given twice", flag, s)
		}
		seen[s] = true
	}
	return nil
}

// positive is a flag that counts from 1 on. It is 0 if it is not given.
type positive int

func (p *positive) String() string { return strconv.Itoa(int(*p)) }
func (p *positive) Wants() string  { return "a number from 1 on" }
func (p *positive) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("it is not a number from 1 on")
	}
	*p = positive(n)
	return nil
}

// keyFlags say how to read a key file.
type keyFlags struct {
	path           string
	passphraseFile string
	identities     list
}

const keyFlagsUsage = `    --passphrase-file F   the passphrase of an encrypted key file is the only
                          line of F, which nobody else may be able to read (not
                          checked on Windows); else it is asked for
    --identity F          an age identity file that opens the key file; may be
                          repeated
`

func (k *keyFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&k.path, "keys", "", "")
	fs.StringVar(&k.passphraseFile, "passphrase-file", "", "")
	fs.Var(&k.identities, "identity", "")
}

func (k *keyFlags) check() error {
	if k.path == "" {
		return usagef("--keys FILE is missing: pysock init and pysock-keygen make key files")
	}
	return nil
}

// load reads the key file with its private key.
func (k *keyFlags) load() (*keys.File, error) {
	opts := &keys.LoadOptions{Passphrase: tty.Passphrase(k.passphraseFile)}
	for _, path := range k.identities {
		ids, err := keys.LoadIdentities(path)
		if err != nil {
			return nil, err
		}
		opts.Identities = append(opts.Identities, ids...)
	}
	f, err := keys.LoadWith(k.path, opts)
	if errors.Is(err, keys.ErrEncrypted) && len(k.identities) == 0 {
		return nil, fmt.Errorf("%w, with --identity FILE", err) // a passphrase would have been asked for
	}
	if err != nil {
		return nil, err
	}
	if f.Private == nil {
		return nil, &keys.FileError{Path: k.path,
			Err: errors.New("it has no private_key; use the file that pysock init or pysock-keygen made")}
	}
	return f, nil
}

// loadPublic reads the key file without its private key, if that is encrypted: nobody is asked for a passphrase.
func (k *keyFlags) loadPublic() (*keys.File, error) {
	f, err := keys.LoadWith(k.path, &keys.LoadOptions{PublicOnly: true})
	if errors.Is(err, keys.ErrEncrypted) {
		return k.load() // the file does not say its public key
	}
	return f, err
}
