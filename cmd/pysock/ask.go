package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/keys"
)

// givenOrAsked gives the names of the clients, which it asks for if asks is set.
func givenOrAsked(e *env, asks bool, names []string) (valid []string, err error) {
	if !asks {
		if valid, err = clientNames(names); err != nil {
			return nil, usageError{err}
		}
		return valid, nil
	}
	err = askUntil(e, "Names of the clients, as in alice bob: ", func(answer string) (err error) {
		if valid, err = clientNames(strings.Fields(answer)); err == nil && len(valid) == 0 {
			err = errors.New("there is no name")
		}
		return err
	})
	return valid, err
}

// addressOrAsked gives the server's address, which it asks for if asks is set.
func addressOrAsked(e *env, asks bool, address string) (string, error) {
	if address == "" {
		address = defaultAddress
	}
	if !asks {
		if _, err := keys.NormalizeAddress(address); err != nil {
			return "", usagef("--address: %w", err)
		}
		return address, nil
	}
	err := askUntil(e, "Address where they find the server ["+defaultAddress+"]: ", func(answer string) error {
		if answer == "" {
			return nil
		}
		if _, err := keys.NormalizeAddress(answer); err != nil {
			return err
		}
		address = answer
		return nil
	})
	return address, err
}

// patient is how often a question is asked.
const patient = 5

// askUntil asks until take likes the answer, a few times.
func askUntil(e *env, question string, take func(answer string) error) error {
	for left := patient - 1; ; left-- {
		answer, err := ask(e, question)
		if err != nil {
			return err
		}
		if err = take(answer); err == nil {
			return nil
		}
		if left == 0 {
			return fmt.Errorf("%w; nothing was done", err)
		}
		fmt.Fprintln(e.stderr, cli.OneLine(err))
	}
}

// ask asks for a line. It reads byte by byte: what follows the line is for the next question.
func ask(e *env, question string) (string, error) {
	fmt.Fprint(e.stderr, question)
	const longest = 4096
	line, err := bufio.NewReaderSize(byteReader{io.LimitReader(e.stdin, longest)}, 16).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("there is no answer on the terminal (%w), and nothing was done", err)
	}
	return strings.TrimSpace(line), nil
}

// byteReader reads no more than it needs to.
type byteReader struct{ r io.Reader }

func (b byteReader) Read(p []byte) (int, error) { return b.r.Read(p[:1]) }
