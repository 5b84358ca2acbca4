// Package tty asks the person at the terminal: for passphrases, which are not
// echoed, and for a yes or a no. It talks to the terminal itself (/dev/tty, or the
// console on Windows), so that standard input and output stay free for data.
package tty

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/term"
)

var (
	// ErrNoTerminal is returned when there is no terminal to ask on.
	ErrNoTerminal = errors.New("there is no terminal to ask on")
	errDiffer     = errors.New("the two passphrases differ; start again")
	errEmpty      = errors.New("the passphrase is empty; give one with at least one character")
)

// ReadPassphrase shows the prompt and reads a line that is not echoed, without its
// end. It waits for the person; an interrupt meanwhile ends the process with status
// 1, after the terminal was put right. Nothing else may read the terminal then.
func ReadPassphrase(prompt string) ([]byte, error) {
	in, out, err := open()
	if err != nil {
		return nil, err
	}
	defer closeBoth(in, out)
	defer fmt.Fprintln(out)
	line, err := readHidden(in, func() { fmt.Fprint(out, printable(prompt)) })
	if err != nil {
		return nil, fmt.Errorf("reading the passphrase from the terminal: %w", err)
	}
	if len(line) == 0 {
		return nil, errEmpty
	}
	return line, nil
}

// ReadNewPassphrase asks twice and returns an error if the answers differ.
func ReadNewPassphrase() ([]byte, error) {
	first, err := ReadPassphrase("New passphrase for the private key: ")
	if err != nil {
		return nil, err
	}
	second, err := ReadPassphrase("The same passphrase again: ")
	if err != nil {
		return nil, err
	}
	if string(first) != string(second) {
		return nil, errDiffer
	}
	return first, nil
}

// Confirm shows the question and reads a line. It returns true if that is "yes" in
// full, because what is asked is seldom harmless.
func Confirm(question string) (bool, error) {
	in, out, err := open()
	if err != nil {
		return false, err
	}
	defer closeBoth(in, out)
	fmt.Fprint(out, printable(question)+" (yes/no) ")
	const longest = 64
	var line []byte
	for b := make([]byte, 1); len(line) < longest; { // by bytes: what follows the line is not ours
		n, err := in.Read(b)
		if n == 0 && err != nil {
			return false, fmt.Errorf("reading the answer from the terminal: %w", err)
		}
		if n > 0 && b[0] == '\n' {
			break
		}
		line = append(line, b[:n]...)
	}
	return strings.EqualFold(strings.TrimSpace(string(line)), "yes"), nil
}

// readHidden is [term.ReadPassword] after a prompt, but does not leave the terminal
// without echo if the person gives up with an interrupt.
func readHidden(in *os.File, prompt func()) ([]byte, error) {
	fd := int(in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	signals, done, ended := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer close(ended)
		select {
		case <-signals:
			term.Restore(fd, state)
			os.Exit(1) // the read cannot be stopped, and the person wants to leave
		case <-done:
		}
	}()
	defer func() {
		signal.Stop(signals)
		close(done)
		<-ended
	}()
	prompt()
	return term.ReadPassword(fd)
}

// printable keeps what came from outside from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

func closeBoth(in, out *os.File) {
	in.Close()
	if out != in {
		out.Close()
	}
}
