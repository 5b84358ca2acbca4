// Package lines reads what somebody types, for examples that meanwhile have other things to wait for.
package lines

import (
	"bufio"
	"context"
	"io"
)

// Read hands out the lines of in, each when it is asked for. The channel is closed at the end of
// in, and by a line of more than 64 KiB. When ctx ends no more lines come.
func Read(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() { // stops at the end of in, or with the first line after ctx's end
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}
