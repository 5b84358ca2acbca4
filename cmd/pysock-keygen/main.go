// Command pysock-keygen makes the identities of PySock: key files for clients and
// servers. Run it with --help for its flags.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/internal/tty"
	"github.com/pysock/pysock/keys"
)

const usage = `Usage:
    pysock-keygen --name NAME [-o FILE] [--encrypt [--passphrase-file F]]
    pysock-keygen --name NAME [-o FILE] [--recipient R]...
    pysock-keygen -y FILE [--passphrase-file F]
    pysock-keygen --version

    --name NAME          name of the new identity, as in --name alice
    -o FILE              write the key file to FILE, which must not exist
                         (default: standard output)
    --encrypt            encrypt the private key with a passphrase, asked on the
                         terminal
    --recipient R        encrypt the private key to the age recipient R (age1…);
                         may be repeated
    --passphrase-file F  take the passphrase from the only line of F, which
                         nobody else may be able to read (Windows: unchecked)
    -y FILE              print the public key of the key file FILE

The public key and its fingerprint are shown on standard error. Whoever has the
private key is this identity: keep the file to yourself. Others get the public
key.

Exit status: 0 done, 1 failed, 2 wrong usage.
`

// workFactor is that of keys.WriteOptions; tests lower it.
var workFactor = 0

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout *os.File, stderr io.Writer) int {
	o, err := parseArgs(args)
	switch {
	case errors.Is(err, errHelp):
		fmt.Fprint(stderr, usage)
		return cli.ExitDone
	case errors.Is(err, errVersion):
		if _, err := fmt.Fprintf(stdout, "pysock-keygen %s\n", cli.Version()); err != nil {
			fmt.Fprintf(stderr, "pysock-keygen: writing to standard output: %s\n", cli.OneLine(err))
			return cli.ExitFailed
		}
		return cli.ExitDone
	case err != nil:
		fmt.Fprintf(stderr, "pysock-keygen: %s; see pysock-keygen --help\n", cli.OneLine(err))
		return cli.ExitUsage
	case o.public != "":
		err = printPublic(o, stdout)
	default:
		err = generate(o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "pysock-keygen: %s\n", cli.OneLine(err))
		return cli.ExitFailed
	}
	return cli.ExitDone
}

func printPublic(o *options, stdout io.Writer) error {
	// Nobody is asked for a passphrase to learn what the file says openly.
	f, err := keys.LoadWith(o.public, &keys.LoadOptions{PublicOnly: true})
	if errors.Is(err, keys.ErrEncrypted) {
		f, err = keys.LoadWith(o.public, &keys.LoadOptions{Passphrase: tty.Passphrase(o.passphraseFile)})
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, f.Public); err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}

func generate(o *options, stdout *os.File, stderr io.Writer) error {
	private, err := keys.GeneratePrivateKey()
	if err != nil {
		return err
	}
	f := &keys.File{Name: o.name, Public: private.Public(), Private: private}
	write := &keys.WriteOptions{Recipients: o.recipients, WorkFactor: workFactor}
	if o.encrypt {
		if write.Passphrase, err = tty.NewPassphrase(o.passphraseFile); err != nil {
			return err
		}
	}
	if o.out == "" {
		err = writeTo(stdout, stderr, f, write)
	} else {
		err = f.Create(o.out, write)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Public key: %s\nFingerprint: %s\n", f.Public, f.Public.Fingerprint())
	return nil
}

func writeTo(stdout *os.File, stderr io.Writer, f *keys.File, write *keys.WriteOptions) error {
	data, err := f.Encode(write)
	if err != nil {
		return err
	}
	if info, err := stdout.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && hasModes {
		fmt.Fprintln(stderr, "pysock-keygen: warning: others can read the file that standard output is; run chmod 600 on it, or use -o FILE")
	}
	if _, err := stdout.Write(data); err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}
