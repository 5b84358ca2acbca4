//go:build unix

package main

import (
	"os"
	"syscall"
)

// makePipe FILE makes a named pipe.
func makePipe() {
	if err := syscall.Mkfifo(os.Args[1], 0o600); err != nil {
		panic(err)
	}
}
