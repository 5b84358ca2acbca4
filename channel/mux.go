package channel

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pysock/pysock/keys"
)

// A Handler takes a message of a channel. ctx ends when the connection does or, for a request, when the asker gives up.
// from is the connection that the message came on: handlers may answer on it.
//
// Messages of one channel and one sender are handled one after another, in the order sent. A
// handler that takes its time delays that channel's sender and nobody else. So a handler that waits
// for an answer for which its own channel must be handled again waits until its ctx ends:
// HandleConcurrent is for those, and for handlers that take long.
//
// A message of more than 64 KiB counts against what its connection may hold until its handler
// returns. A handler should therefore not wait for another large message from the same peer, nor
// send large messages itself where the peer's handlers do that too: both may then wait for each
// other. Large answers are counted apart: to wait for one, or to give one, is safe.
//
// A request that the handler has not answered by Reply is answered when the handler returns: with
// its error or, if that is nil, with an empty body. An *Error or a Code goes to the asker as it is,
// another error as CodeFailed with its text. What a handler of a plain message returns is logged. A
// panic is logged with its stack, is CodeInternal to the asker, and ends nothing else.
// [Mux.OnError] hears of all these errors and panics in place of the log.
type Handler func(ctx context.Context, from Conn, m *Message) error

// A Registrar takes handlers: a *Mux, or a *client.Client.
type Registrar interface {
	// Handle registers the handler of a channel. It panics on a mistake of the program, as Mux.Handle says.
	Handle(channel string, h Handler)
}

// A Route is what a Mux knows of a channel. It does not change: a new handler is a new Route.
type Route struct {
	// Handler takes the channel's messages, with all middleware round it. It is not nil.
	Handler Handler

	// Concurrent is how many messages of one sender may be handled at once; 0 and 1 mean one after another.
	Concurrent int

	bare Handler // without middleware
}

// A Mux finds the handler of a channel. Its zero value is empty and ready to
// use. Handlers should be registered before the connections begin: a channel that a peer
// has used and that was refused stays refused for that connection.
type Mux struct {
	mu         sync.RWMutex
	routes     map[string]*Route
	fallback   *Route
	middleware []func(next Handler) Handler // the first is the outermost
	version    atomic.Uint64

	onError atomic.Pointer[func(ErrorEvent)]
}

// Handle registers the handler of a channel. It panics if the name is not a
// channel name, h is nil or the channel has a handler already: these are mistakes of the program.
func (x *Mux) Handle(channel string, h Handler) { x.HandleConcurrent(channel, 1, h) }

// HandleConcurrent is Handle for a handler that may be called for up to n messages of one
// sender at once, in no particular order. An n below 2 is Handle.
func (x *Mux) HandleConcurrent(channel string, n int, h Handler) {
	if err := keys.CheckChannel(channel); err != nil {
		panic(fmt.Sprintf("channel: cannot handle %q: %v", channel, err))
	}
	if h == nil {
		panic(fmt.Sprintf("channel: nil handler for %q", channel))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, taken := x.routes[channel]; taken {
		panic(fmt.Sprintf("channel: %q has a handler already", channel))
	}
	r := newRoute(h, n, x.middleware)
	if x.routes == nil {
		x.routes = make(map[string]*Route)
	}
	x.routes[channel] = r
	x.version.Add(1)
}

// Fallback registers a handler for the channels that have none, in place of an earlier one; nil
// takes it away. Without one such a channel is refused, and its sender told so.
func (x *Mux) Fallback(h Handler) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var r *Route
	if h != nil {
		r = newRoute(h, 1, x.middleware)
	}
	x.fallback = r
	x.version.Add(1)
}

// Route gives the route of a channel, the fallback's if it has none of its own, or nil.
// A nil Mux has no routes.
func (x *Mux) Route(channel string) *Route {
	if x == nil {
		return nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if r, ok := x.routes[channel]; ok {
		return r
	}
	return x.fallback
}

// Version changes whenever a handler or middleware is registered, so that a connection may keep a Route as
// long as the version is the same.
func (x *Mux) Version() uint64 {
	if x == nil {
		return 0
	}
	return x.version.Load()
}
