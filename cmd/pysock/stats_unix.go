//go:build unix

package main

import (
	"os"
	"syscall"
)

// statsSignals ask a server for its counters.
var statsSignals = []os.Signal{syscall.SIGUSR1}
