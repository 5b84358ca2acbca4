// Package memnet is a network in memory for tests: pairs of connections with
// buffers, deadlines and half-closes as TCP has them, and with faults on demand.
//
//	a, b := memnet.Pipe(memnet.Config{})                    // behaves as loopback does
//	a, b := memnet.Pipe(memnet.Config{Chunk: 1})            // delivers byte by byte
//	a, b := memnet.Pipe(memnet.Config{Seed: 1, Chunk: 100}) // … 1 to 100 bytes at a time
//	a, b := memnet.Pipe(memnet.Config{Delay: 40 * time.Millisecond})
//	a, b := memnet.Pipe(memnet.Config{Chunk: 1, Drip: time.Second})         // a byte a second
//	a, b := memnet.Pipe(memnet.Config{ResetAfter: 100, VanishAfter: 1000})  // faults in the middle of a record
//
//	b.Stall()    // b reads nothing from now on, so that a's writes fill the buffer and wait
//	b.Resume()
//	a.Cut()      // the cable is cut: both ends fail
//	a.CutIn()    // … in one direction: a's reads and b's writes fail
//	a.Vanish()   // a's writes succeed and go nowhere
//
// A goroutine that waits for a Conn is durably blocked for testing/synctest, and
// Delay and deadlines take the bubble's time.
package memnet
