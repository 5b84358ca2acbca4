//go:build !unix

package main

import "os"

// statsSignals are none: nothing here can ask a server for its counters.
var statsSignals []os.Signal
