package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pysock/pysock/channel"
)

// maxLine is the longest line that is read as a message. It is what the other side takes, unless it
// was set up to take more or less.
const maxLine = 16 << 20

// endGrace is how long the end of the input is waited for when the connection has ended: it may
// have come at the same time, and an end that comes after everything was taken is no failure.
const endGrace = 250 * time.Millisecond

// line is a line of the input, or the error that ended it.
type line struct {
	text []byte
	err  error
}

// readLines reads lines until the input ends or ctx does. The channel is closed after the last.
// The goroutine may stay in a read of in, which cannot be stopped, until the process ends.
func readLines(ctx context.Context, in io.Reader) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		r := bufio.NewReaderSize(in, 64<<10)
		for number := 1; ; number++ {
			text, err := nextLine(r)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = fmt.Errorf("line %d of standard input: %w", number, err)
			}
			select {
			case lines <- line{text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// nextLine returns the next line without its end, \n or \r\n. The last line needs no end.
func nextLine(r *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(text)+len(part) > maxLine+len("\r\n") {
			return nil, fmt.Errorf("it is longer than %d bytes, and a message may not be", maxLine)
		}
		text = append(text, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(text) > 0:
			return text, nil
		case err != nil:
			return nil, err
		}
		return bytes.TrimSuffix(text[:len(text)-1], []byte("\r")), nil
	}
}

// each calls do for one line after the other, until there are no more, or there is an error, or ctx
// or the connection ends.
func each(ctx context.Context, conn channel.Conn, lines <-chan line, do func(text []byte) error) error {
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				return nil
			}
			if l.err != nil {
				return l.err
			}
			if err := do(l.text); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-conn.Context().Done():
			select {
			case _, ok := <-lines:
				if !ok {
					return nil // nothing was left to say
				}
			case <-time.After(endGrace):
			}
			return context.Cause(conn.Context())
		}
	}
}
