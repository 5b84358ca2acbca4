package client

import (
	"sync"
	"time"
)

// clock tells the time in two ways: by the wall, which goes on while the computer sleeps, and by
// what has elapsed for this process.
type clock struct {
	wall    func() time.Time
	elapsed func() time.Duration
}

func systemClock() clock {
	start := time.Now()
	return clock{wall: time.Now, elapsed: func() time.Duration { return time.Since(start) }}
}

// checkClock is how often a sleeper should be asked, and slept how much more wall than elapsed time
// is taken for a sleep: less is what corrections of the clock do.
const (
	checkClock = 3 * time.Second
	slept      = 2 * time.Second
)

// sleeper notices that the computer has slept. Connections that looked well before are then most
// likely lost, and a back-off has waited long enough.
type sleeper struct {
	clock clock

	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
	awoke   bool // nobody has taken notice yet
}

func newSleeper(c clock) *sleeper {
	return &sleeper{clock: c, wall: c.wall().Round(0), elapsed: c.elapsed()}
}

// check reports whether there was a sleep that nobody has taken notice of.
func (s *sleeper) check() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	wall, elapsed := s.clock.wall().Round(0), s.clock.elapsed() // Round takes the monotonic reading off
	if wall.Sub(s.wall)-(elapsed-s.elapsed) > slept {
		s.awoke = true
	}
	s.wall, s.elapsed = wall, elapsed
	return s.awoke
}

// notice is check, and the sleep it reports is reported once.
func (s *sleeper) notice() bool {
	awoke := s.check()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awoke = false
	return awoke
}

// during calls interrupt once if there is a sleep before the function that it returns is called.
func (s *sleeper) during(interrupt func()) (done func()) {
	var mu sync.Mutex
	var timer *time.Timer // nil when done
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(checkClock, func() {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case timer == nil:
		case s.check():
			interrupt()
		default:
			timer.Reset(checkClock)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		timer.Stop()
		timer = nil
	}
}
