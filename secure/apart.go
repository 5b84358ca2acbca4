package secure

import "iter"

// apart calls f on a stack of its own, which is gone when it returns: ML-KEM
// grows a stack to 16 KiB, and a connection that then waits for its peer must
// not keep that.
//
// The stack is a coroutine's and not a goroutine's, because the scheduler has
// no part in the switch. A go statement, and a channel to wait for its end,
// each wake another thread to look for work where there is none: with the
// hand-overs that follow that costs as much as a multiplication does.
func apart(f func() error) (err error) {
	run, _ := iter.Pull(func(func(struct{}) bool) {
		grow()
		err = f()
	})
	run() // to the end, since nothing is yielded
	return err
}

// grow makes a small stack as large as ML-KEM needs it, at once: growing copies
// what is on it, each time that it is doubled.
//
//go:noinline
func grow() byte {
	var room [12 << 10]byte
	return room[roomAt]
}

var roomAt int // for the compiler, which leaves out what is not looked at
