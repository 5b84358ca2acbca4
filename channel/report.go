package channel

import (
	"fmt"
	"strings"
)

// A Report says who took a message that was sent to many.
type Report struct {
	// Reached is how many connections accepted the message, as Send does: not that their
	// applications have taken it. One that refuses the channel, because nobody handles it there,
	// says so only when the first message on it comes: it counts as reached by that one, and is
	// among the Unreached, with CodeNoHandler, from the next one on.
	Reached int

	// Unreached are those that did not, as far as they are named: a server names at most 1,024 of them to a client.
	Unreached []Unreached

	// More is how many others did not.
	More int
}

// Unreached is somebody who did not get a message, and why.
type Unreached struct {
	// Peer is who: the name and the key at least.
	Peer Peer

	// Err is why: what Send returned, or an *Error with the code that the server gave.
	Err error
}

// Err gives nil if the message reached all whom it was for, which may be nobody, or an *[UnreachedError].
func (r Report) Err() error {
	if len(r.Unreached) == 0 && r.More <= 0 {
		return nil
	}
	return &UnreachedError{Report: r}
}

// An UnreachedError is a message to many that did not reach them all. errors.Is and errors.As look
// into the errors of all who are named.
type UnreachedError struct {
	// Report is the whole report, of those who were reached too.
	Report Report
}

// Error says how many were not reached, and names three of them at most. Names are quoted.
func (e *UnreachedError) Error() string {
	const named = 3
	missed := len(e.Report.Unreached) + e.Report.More
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d did not get the message", missed, missed+e.Report.Reached)
	listed := e.Report.Unreached[:min(named, len(e.Report.Unreached))]
	for i, u := range listed {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%q", sep, u.Peer.Name)
		if u.Err != nil {
			fmt.Fprintf(&b, " (%v)", u.Err)
		}
	}
	if more := missed - len(listed); more > 0 && len(listed) > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// Unwrap gives the errors of all who are named.
func (e *UnreachedError) Unwrap() []error {
	var errs []error
	for _, u := range e.Report.Unreached {
		if u.Err != nil {
			errs = append(errs, u.Err)
		}
	}
	return errs
}
