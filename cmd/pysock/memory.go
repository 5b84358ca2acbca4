package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pysock/pysock/server"
)

// amount is a flag for a number of bytes. It is 0 if it is not given.
type amount int64

func (s *amount) String() string { return strconv.FormatInt(int64(*s), 10) }
func (s *amount) Wants() string  { return "a size, as in 64KiB, 512MiB or 4GiB" }
func (s *amount) Set(text string) error {
	for shift, unit := range []string{1: "KiB", 2: "MiB", 3: "GiB", 4: "TiB"} {
		number, ok := strings.CutSuffix(text, unit)
		if unit == "" || !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 62-10*shift)
		if err != nil || n == 0 {
			break
		}
		*s = amount(n << (10 * shift))
		return nil
	}
	return errors.New("it is not a size")
}

const (
	leastMessage = 64 << 10 // of server.Limits, as what follows
	mostMessage  = 1 << 30
)

// least and usual are the bounds of what is lowered when memory is short: what server.Limits takes
// at least, and its defaults. The numbers of channels, streams and pipes are not lowered: a client
// can still do what it could, with less on its way.
var (
	least = server.Limits{MaxMessage: leastMessage, StreamWindow: 64 << 10, PipeWindow: 64 << 10,
		SendQueue: 64 << 10, ResumeBuffer: 192 << 10}
	usual = server.Limits{MaxMessage: 16 << 20, StreamWindow: 256 << 10, PipeWindow: 256 << 10,
		SendQueue: 1 << 20, ResumeBuffer: 1 << 20}
)

// steps is how many there are from least to usual.
const steps = 256

// fitMemory has a server take no more memory than most, by its own reckoning. If nothing says how
// many sessions there are to be, there are as many as fit, but at least one for each client; else
// what each may hold is lowered until so many fit. The largest message stays if it is given.
func fitMemory(limits server.Limits, most amount, clients int) (server.Limits, error) {
	if limits.MaxSessions == 0 {
		limits.MaxSessions = min(mostSessions(limits, most), defaultSessions)
		if limits.MaxSessions >= max(1, clients) {
			return limits, nil
		}
		limits.MaxSessions = max(1, clients)
		low := lowered(limits, 0)
		what := "one session: it takes"
		if clients > 1 {
			what = fmt.Sprintf("a session of each of %d clients: these take", clients)
		}
		return limits, usagef("--max-memory %s is not enough for %s %s or, with --max-sessions %d, which lowers what each may hold, %s",
			most.short(), what, byteSize(limits.Memory()), limits.MaxSessions, byteSize(low.Memory()))
	}
	if limits.Memory() <= int64(most) {
		return limits, nil
	}
	for step := steps - 1; step >= 0; step-- {
		if less := lowered(limits, step); less.Memory() <= int64(most) {
			return less, nil
		}
	}
	low := lowered(limits, 0)
	advice := ""
	if n := mostSessions(low, most); n > 0 {
		advice = fmt.Sprintf(", or give --max-sessions %d", n)
	}
	return limits, usagef("--max-memory %s is not enough for --max-sessions %d: even if each may hold as little as it can that takes %s%s",
		most.short(), limits.MaxSessions, byteSize(low.Memory()), advice)
}

// mostSessions is how many sessions fit into so much memory, which may be none.
func mostSessions(limits server.Limits, most amount) int {
	limits.MaxSessions = 1
	one := limits.Memory()
	limits.MaxSessions = 2
	each := limits.Memory() - one
	return int(max(0, (int64(most)-one+each)/each))
}

// lowered gives limits with what a session may hold between the least and the default.
func lowered(limits server.Limits, step int) server.Limits {
	between := func(from, to int) int { return (from + (to-from)/steps*step) &^ (1<<10 - 1) }
	if limits.MaxMessage == 0 {
		limits.MaxMessage = between(least.MaxMessage, usual.MaxMessage)
	}
	limits.StreamWindow = between(least.StreamWindow, usual.StreamWindow)
	limits.PipeWindow = between(least.PipeWindow, usual.PipeWindow)
	limits.SendQueue = between(least.SendQueue, usual.SendQueue)
	limits.ResumeBuffer = between(least.ResumeBuffer, usual.ResumeBuffer)
	return limits
}

// short is the size as people give it.
func (s amount) short() string {
	n, unit := int64(s)>>10, 0
	for n%1024 == 0 && unit < 3 {
		n, unit = n/1024, unit+1
	}
	return strconv.FormatInt(n, 10) + []string{"KiB", "MiB", "GiB", "TiB"}[unit]
}
