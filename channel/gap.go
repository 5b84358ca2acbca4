package channel

import "fmt"

// A GapError is the end of a connection after which messages may be lost: some that Send accepted
// are not known to have been taken by the other application. Requests are not among them, as each
// has its own error.
//
// The numbers are what the other application itself has reported, end to end, at the latest some
// 100 ms after it had taken them. If the other end itself closed the connection (Err is a
// *CloseError) they are exact, but for what it takes while it says goodbye. In all other cases (Err
// is a *LostError, also of a pipe whose server closed) the messages that are not known to have been
// taken may have been, or not; none that is not counted in Sent was.
//
// Each channel is told of once: by its next Send or SendAcked, or all that are left by Flush, by
// Close, or by the end of the connection; calls that wait when the connection ends are all told,
// each of its own channel. The call that returns it has sent nothing (but see Counted), and things
// go on with the next.
//
// Who keeps what was sent on each channel can send again what may be lost, though some of it may
// then come twice:
//
//	for _, g := range gap.Channels {
//		sent := texts[g.Channel] // all that Send has accepted on it, and SendAcked if Counted
//		lost[g.Channel] = sent[len(sent)-int(g.Lost):]
//	}
type GapError struct {
	// Err is why the connection ended, a *LostError or a *CloseError as a rule: errors.As finds them.
	Err error

	// Sent is how many messages Send has accepted in all, from the first connection on if there were several.
	Sent uint64

	// Taken is how many of them the other application is known to have taken. They are the first of
	// each channel, but for those that an earlier GapError was about.
	Taken uint64

	// Channels are those that this is the news of, by name: the one that was sent on, or all that
	// are left; none in the cause of a Context if all has been told of. The names are this end's own.
	Channels []ChannelGap

	// Counted is set if SendAcked returned this for the message that it had sent itself, which is
	// one of those in Sent and may have been taken.
	Counted bool
}

// A ChannelGap is what is known of the messages of one channel; see GapError.
type ChannelGap struct {
	Channel string // its name
	Sent    uint64 // how many messages Send has accepted, from the first connection on
	Taken   uint64 // how many of them are known to have been taken
	Lost    uint64 // how many of them this is the news of, those that were sent last: they are not known to have been taken
}

// Error says in one line how many messages are known to have been taken, and why the connection
// ended. Text from outside is quoted.
func (e *GapError) Error() string {
	known := fmt.Sprintf("%d of %d messages are known to have been taken", e.Taken, e.Sent)
	if e.Err == nil {
		return known
	}
	return known + ": " + e.Err.Error()
}

// Unwrap gives why the connection ended.
func (e *GapError) Unwrap() error { return e.Err }
