package link

import (
	"fmt"
	"net"
	"sync"

	"github.com/pysock/pysock/channel"
)

// backlog is how many streams wait to be accepted by a Listener; the next is answered busy.
const backlog = 128

// Addr names a stream, and at whose end it is.
type Addr struct {
	Peer   string // name of the peer at whose end it is; empty for this end
	Stream string // name of the stream; empty for a pipe
}

// Network is "pysock".
func (Addr) Network() string { return "pysock" }

// String gives the stream's name, with the peer's before it. Both are such as the protocol allows:
// they hold no control characters.
func (a Addr) String() string {
	if a.Peer == "" {
		return a.Stream
	}
	return a.Peer + "/" + a.Stream
}

// Listeners take the streams that others open, by name. Many links may share one. The zero value has no listeners.
type Listeners struct {
	mu     sync.Mutex
	byName map[string]*Listener
}

// A Listener is a net.Listener for the streams of one name.
type Listener struct {
	set    *Listeners
	name   string
	queue  chan *Stream
	closed chan struct{}
	once   sync.Once
}

// Listen takes the streams of a name from now on.
func (s *Listeners) Listen(name string) (*Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.byName[name]; taken {
		return nil, fmt.Errorf("somebody listens for streams named %q already", name)
	}
	if s.byName == nil {
		s.byName = make(map[string]*Listener)
	}
	ln := &Listener{set: s, name: name, queue: make(chan *Stream, backlog), closed: make(chan struct{})}
	s.byName[name] = ln
	return ln, nil
}

// CloseAll closes all listeners.
func (s *Listeners) CloseAll() {
	s.mu.Lock()
	all := make([]*Listener, 0, len(s.byName))
	for _, ln := range s.byName {
		all = append(all, ln)
	}
	s.mu.Unlock()
	for _, ln := range all {
		ln.Close()
	}
}

// take gives a stream that the other side has opened to its listener. It does not block.
func (s *Listeners) take(st *Stream) {
	if s == nil {
		st.Reject(channel.CodeNoListener, "")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ln := s.byName[st.name]
	if ln == nil {
		st.Reject(channel.CodeNoListener, "")
		return
	}
	if len(ln.queue) == cap(ln.queue) {
		st.Reject(channel.CodeBusy, "too many streams wait to be accepted")
		return
	}
	st.Accept() // before the listener has it: it may be closed at once
	ln.queue <- st
}

// Accept waits for the next stream. It returns net.ErrClosed after Close.
func (ln *Listener) Accept() (net.Conn, error) {
	select {
	case <-ln.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case st := <-ln.queue:
		return st, nil
	case <-ln.closed:
		return nil, net.ErrClosed
	}
}

// Close stops listening; streams that wait are closed.
func (ln *Listener) Close() error {
	ln.once.Do(func() {
		ln.set.mu.Lock()
		defer ln.set.mu.Unlock()
		delete(ln.set.byName, ln.name)
		close(ln.closed)
		for {
			select {
			case st := <-ln.queue:
				st.CloseWithReason(channel.CodeNoListener, "")
			default:
				return
			}
		}
	})
	return nil
}

// Addr names the streams that are listened for.
func (ln *Listener) Addr() net.Addr { return Addr{Stream: ln.name} }
