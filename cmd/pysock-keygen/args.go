package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"

	"filippo.io/age"

	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/keys"
)

// hasModes says whether a file's mode says who can read it.
const hasModes = runtime.GOOS != "windows"

var (
	errHelp    = flag.ErrHelp
	errVersion = errors.New("the version is asked for")
)

// options is what the arguments ask for, checked.
type options struct {
	name           string
	out            string // "" for standard output
	public         string // the file of -y, or ""
	encrypt        bool
	recipients     []age.Recipient
	passphraseFile string
}

// parseArgs reads the arguments. Every error but errHelp and errVersion is one of usage.
func parseArgs(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("pysock-keygen", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // an error is one line, and main prints it
	fs.StringVar(&o.name, "name", "", "")
	fs.StringVar(&o.out, "o", "", "")
	fs.StringVar(&o.public, "y", "", "")
	fs.BoolVar(&o.encrypt, "encrypt", false, "")
	fs.StringVar(&o.passphraseFile, "passphrase-file", "", "")
	version := fs.Bool("version", false, "")
	var recipients texts
	fs.Var(&recipients, "recipient", "")
	if err := cli.ParseFlags(fs, args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("%q is one argument too many", fs.Arg(0))
	}
	given := map[string]bool{}
	var empty error
	fs.Visit(func(f *flag.Flag) {
		given[f.Name] = true
		if f.Name != "recipient" && f.Value.String() == "" {
			empty = fmt.Errorf("%s is given without a value", cli.FlagName(f.Name))
		}
	})
	if *version {
		return nil, errVersion
	}
	if empty != nil {
		return nil, empty
	}
	if given["y"] {
		if given["name"] || given["o"] || o.encrypt || given["recipient"] {
			return nil, errors.New("-y goes with no other flag than --passphrase-file")
		}
		return o, nil
	}
	switch {
	case !given["name"]:
		return nil, errors.New("--name is missing: write pysock-keygen --name NAME -o FILE")
	case o.encrypt && given["recipient"]:
		return nil, errors.New("--encrypt and --recipient exclude each other")
	case given["passphrase-file"] && !o.encrypt:
		return nil, errors.New("--passphrase-file goes with --encrypt")
	}
	var err error
	if o.name, err = keys.NormalizeName(o.name); err != nil {
		return nil, err
	}
	for _, s := range recipients {
		r, err := keys.ParseRecipient(s)
		if err != nil {
			return nil, err
		}
		o.recipients = append(o.recipients, r)
	}
	return o, nil
}

// texts is a flag that may be repeated.
type texts []string

func (t *texts) String() string     { return "" }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }
func (t *texts) Repeats()           {}
