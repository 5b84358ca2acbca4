package channel

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// An ErrorEvent is a message whose handling failed; see [Mux.OnError].
type ErrorEvent struct {
	// Conn is the connection that the message came on, as the handler had it.
	Conn Conn

	// Message is what failed: its Channel and From say where it is from. The handler had it too,
	// and may have changed its Body or, if it kept it, change it still.
	Message *Message

	// Err is what the handler or the middleware round it returned. errors.As finds a *DecodeError
	// if the body was not a value of the handler's type, and a *PanicError if the handler panicked.
	Err error
}

// OnError registers h for the errors of the mux's handlers, in place of an earlier one; nil takes
// it away. Without one they are logged by the connection. h changes nothing for the sender: who
// sent a request is answered as [Handler] says.
//
// h is called after the handler, in its goroutine, so for several messages at once, and the next
// message of the channel waits for it. A panic in it is logged with [slog.Default], and the event
// as if there were no hook.
func (x *Mux) OnError(h func(ErrorEvent)) {
	if h == nil {
		x.onError.Store(nil)
		return
	}
	x.onError.Store(&h)
}

// Report hands an event to the hook that OnError registered. It reports false if there is none, or
// it panicked: then the event is to be logged. It is for implementations of Conn. A nil Mux has no
// hook.
func (x *Mux) Report(e ErrorEvent) (taken bool) {
	if x == nil {
		return false
	}
	h := x.onError.Load()
	if h == nil {
		return false
	}
	defer func() {
		if v := recover(); v != nil {
			slog.Default().Error("pysock: the error hook panicked", "panic", fmt.Sprint(v), "stack",
				string(debug.Stack()))
		}
	}()
	(*h)(e)
	return true
}

// A PanicError is a handler's panic. The program goes on, and so does the connection; who sent a
// request is told CodeInternal and no more.
type PanicError struct {
	// Value is what panic was called with.
	Value any

	// Stack is that of the goroutine that panicked, as debug.Stack gives it.
	Stack []byte
}

// Error gives the value, quoted as it may hold what came from outside, and not the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %q", fmt.Sprint(e.Value)) }

// Unwrap gives [CodeInternal].
func (e *PanicError) Unwrap() error { return CodeInternal }
