package link

import (
	"context"
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// An endpoint is what the frames of one stream are for: a Stream of this process, or one end of a
// relay. Its on-methods are called by the link's reader, without mu.
type endpoint interface {
	onAccept() error
	onData(p []byte) error
	onEnd() error
	onReset(r wire.Reason) error
	onStop(r wire.Reason) error
	onWindow(allowed uint64) error
	onLost(err error)
}

// OpenStream opens a stream and waits until the other side has accepted it.
func (l *Link) OpenStream(ctx context.Context, name string) (*Stream, error) {
	if err := keys.CheckChannel(name); err != nil {
		return nil, err
	}
	l.mu.Lock()
	s, err := l.open(func(b []byte, id uint32) []byte { return wire.AppendOpenStream(b, id, name) })
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	s.name = name
	if err := s.awaitAccept(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenPipe opens a stream that the other side is to connect to a third. It does not wait: what
// comes first through the stream says whether that went well.
func (l *Link) OpenPipe(open wire.PipeOpen) (*Stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open(open.Append)
}

// open makes a stream of ours, and has frame made when its turn comes. Call it with mu held.
func (l *Link) open(frame func(b []byte, id uint32) []byte) (*Stream, error) {
	id, err := l.newStreamID()
	if err != nil {
		return nil, err
	}
	s := newStream(l, id)
	s.opening = frame
	l.streams[id] = s
	l.control(s)
	s.due = true
	l.startWriter()
	return s, nil
}

func (l *Link) newStreamID() (uint32, error) {
	if l.state != stateOpen {
		return 0, l.gone()
	}
	if len(l.streams) >= wire.MaxStreams || l.nextStream > ^uint32(0)-2 {
		return 0, &channel.Error{Code: channel.CodeLimit, Text: "too many streams on the connection"}
	}
	id := l.nextStream
	l.nextStream += 2
	return id, nil
}

// remoteStream reports whether the other side opens streams with this id.
func (l *Link) remoteStream(id uint32) bool { return (id%2 == 1) != l.cfg.Initiator }

func (l *Link) onOpen(h wire.Header, p []byte) error {
	first := uint32(1)
	if l.cfg.Initiator {
		first = 2
	}
	want := l.lastRemote + 2
	if l.lastRemote == 0 {
		want = first
	}
	if h.ID != want || h.ID < l.lastRemote {
		return violated("OPEN of stream %d, want %d", h.ID, want)
	}
	l.lastRemote = h.ID
	var open wire.PipeOpen
	var name string
	var err error
	pipe := h.Flags.Has(wire.FlagPipe)
	if pipe {
		open, err = wire.ParsePipeOpen(p)
	} else {
		name, err = wire.ParseOpenStream(p)
	}
	if err != nil {
		return err
	}
	if err := checkOpen(pipe, open, name); err != nil {
		return err
	}
	if pipe && l.cfg.OpenPipe == nil {
		return violated("a pipe cannot be opened here")
	}

	s := newStream(l, h.ID)
	s.name = name
	l.mu.Lock()
	l.streams[h.ID] = s
	l.remote++
	n := l.remote
	l.mu.Unlock()
	switch {
	case n > wire.MaxStreams:
		return violated("more than %d streams are not finished", wire.MaxStreams)
	case n > l.cfg.MaxStreams:
		s.Reject(channel.CodeBusy, "too many streams")
	case pipe:
		l.queuePacked() // whose decision it is may take longer than it should, or wait for what came before
		l.afterBatch()
		l.cfg.OpenPipe(s, open)
	default:
		l.cfg.Listeners.take(s)
	}
	return nil
}

func checkOpen(pipe bool, open wire.PipeOpen, name string) error {
	if !pipe {
		if keys.CheckChannel(name) != nil {
			return violated("stream name is not allowed")
		}
		return nil
	}
	if keys.CheckName(open.Opener) != nil || keys.CheckName(open.Target) != nil {
		return violated("name in the opening of a pipe is not allowed")
	}
	return nil
}

func (l *Link) onStreamFrame(h wire.Header, p []byte) error {
	l.mu.Lock()
	e, ok := l.streams[h.ID]
	used := h.ID < l.nextStream
	l.mu.Unlock()
	if !ok {
		if l.remoteStream(h.ID) {
			used = h.ID <= l.lastRemote
		}
		if used && (h.Type == wire.TypeStop || h.Type == wire.TypeWindow) {
			return nil // it crossed with the end of the stream
		}
		return violated("%v for stream %d, which is not open", h.Type, h.ID)
	}
	if err := onStreamFrame(e, h, p); err != nil {
		return fmt.Errorf("stream %d: %w", h.ID, err)
	}
	return nil
}

func onStreamFrame(e endpoint, h wire.Header, p []byte) error {
	switch h.Type {
	case wire.TypeData:
		return e.onData(p)
	case wire.TypeAccept:
		return e.onAccept()
	case wire.TypeEnd:
		return e.onEnd()
	case wire.TypeWindow:
		allowed, err := wire.ParseWindow(p)
		if err != nil {
			return err
		}
		return e.onWindow(allowed)
	}
	r, err := wire.ParseReason(h.Type, p)
	if err != nil {
		return err
	}
	if h.Type == wire.TypeReset {
		return e.onReset(r)
	}
	return e.onStop(r)
}

// forget takes a stream out whose both directions have ended. Call it with mu held.
func (l *Link) forget(id uint32) {
	if _, ok := l.streams[id]; !ok {
		return
	}
	delete(l.streams, id)
	if l.remoteStream(id) {
		l.remote--
	}
}

var errData = violated("DATA or an end after the end")
var errWindow = violated("DATA beyond its credit")

// streamAllowance is how far the other side may send on a stream at first.
const streamAllowance = flow.Guaranteed
