// Command pysock is PySock for people and operators: it makes key files, serves,
// sends, asks, listens, and shows what the server of an encrypted pipe sees.
// Run it with help for its commands.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/pysock/pysock/cmd/internal/cli"
)

// env is what a command has of the process.
type env struct {
	stdin  *os.File
	stdout *os.File
	stderr io.Writer
}

// command is one of pysock's commands. Its run returns a usageError for wrong usage and
// flag.ErrHelp if help was asked for.
type command struct {
	name  string
	brief string
	usage string
	run   func(e *env, args []string) error
}

var commands = []*command{initCommand, demoCommand, serveCommand, sendCommand, requestCommand, listenCommand,
	whoCommand, trustCommand, versionCommand}

// usageError is wrong usage: exit status 2, and where help is to be had.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	// Writing to a pipe that nobody reads is an error like that of a full disk: a signal would end
	// the process without a goodbye, and the server would keep the session until its grace is over.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(&env{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

func run(e *env, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(e.stderr, usage())
		return cli.ExitUsage
	}
	switch args[0] {
	case "help", "--help", "-help", "-h":
		return help(e, args[1:])
	case "--version", "-version":
		args[0] = versionCommand.name
	}
	c := find(args[0])
	if c == nil {
		fmt.Fprintf(e.stderr, "pysock: there is no command %q; see pysock help\n", args[0])
		return cli.ExitUsage
	}
	err := c.run(e, args[1:])
	var wrong usageError
	switch {
	case err == nil:
		return cli.ExitDone
	case errors.Is(err, flag.ErrHelp):
		return help(e, args[:1])
	case errors.As(err, &wrong):
		fmt.Fprintf(e.stderr, "pysock %s: %s; see pysock help %s\n", c.name, cli.OneLine(err), c.name)
		return cli.ExitUsage
	}
	fmt.Fprintf(e.stderr, "pysock %s: %s\n", c.name, cli.OneLine(err))
	return cli.ExitFailed
}

func find(name string) *command {
	for _, c := range commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

func help(e *env, args []string) int {
	text := usage()
	if len(args) > 0 && args[0] != "help" {
		c := find(args[0])
		if c == nil {
			fmt.Fprintf(e.stderr, "pysock: there is no command %q to help with; see pysock help\n", args[0])
			return cli.ExitUsage
		}
		text = c.usage
	}
	if _, err := io.WriteString(e.stdout, text); err != nil {
		fmt.Fprintf(e.stderr, "pysock: %s\n", cli.OneLine(writingError(err)))
		return cli.ExitFailed
	}
	return cli.ExitDone
}

func usage() string {
	s := "Usage: pysock COMMAND [FLAG...] [ARGUMENT...]\n\n"
	for _, c := range commands {
		s += fmt.Sprintf("    %-8s  %s\n", c.name, c.brief)
	}
	return s + `
pysock help COMMAND says more.
To see it happen: pysock demo. To begin: pysock init alice bob.

Data goes to standard output, everything else to standard error.
Exit status: 0 done, 1 failed, 2 wrong usage. A command whose output nobody
reads any more, as behind "| head -1", has failed when it has more to print.
`
}

// writingError is the error of writing to standard output.
func writingError(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return errors.New("nobody reads standard output any more")
	}
	return fmt.Errorf("writing to standard output: %w", err)
}

var versionCommand = &command{
	name:  "version",
	brief: "print the version",
	usage: "Usage: pysock version\n\nPrints the version of this command and of the protocol that it speaks.\n",
	run: func(e *env, args []string) error {
		if _, err := parse(newFlags("version"), args, 0); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(e.stdout, "pysock %s, protocol 1.0\n", cli.Version()); err != nil {
			return writingError(err)
		}
		return nil
	},
}
