package memnet

import (
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// half is one direction of a connection.
type half struct {
	cfg Config
	cut func() // cuts both directions

	mu         sync.Mutex
	cond       sync.Cond
	random     *rand.Rand // of chunks
	jitter     *rand.Rand
	parts      []part
	size       int
	carried    int64
	latest     time.Time // when the last part arrives
	dry        time.Time // until then nothing is read, see Drip
	stalled    bool
	vanished   bool
	failed     bool
	readClosed bool
	writeErr   error // set when the direction has ended: what Writes return
	readErr    error // and what Reads return when all is read; nil is io.EOF
	readBy     deadline
	writeBy    deadline
	arrival    *time.Timer // wakes the reader when delayed bytes arrive
}

// part is what one Write brought, and when it can be read.
type part struct {
	b  []byte
	at time.Time
}

type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (h *half) setDeadline(d *deadline, t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.stop()
	d.at = t
	if !t.IsZero() && !h.over() {
		d.timer = time.AfterFunc(time.Until(t), h.wake)
	}
	h.cond.Broadcast()
	return nil
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// over reports whether nobody will wait here any more. Call it with mu held.
func (h *half) over() bool { return h.failed || h.readClosed && h.writeErr != nil }

// changed wakes everybody, and stops the timers if they are of no use any more. Call it with mu held.
func (h *half) changed() {
	if h.over() {
		h.readBy.stop()
		h.writeBy.stop()
		if h.arrival != nil {
			h.arrival.Stop()
		}
	}
	h.cond.Broadcast()
}

func (h *half) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cond.Broadcast()
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readClosed:
			return 0, net.ErrClosed
		case h.failed:
			return 0, ErrCut
		case h.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case h.size > 0 && h.arrived():
			n := h.take(p)
			h.cond.Broadcast()
			return n, nil
		case h.size == 0 && h.writeErr != nil && !h.stalled:
			if h.readErr != nil {
				return 0, h.readErr
			}
			return 0, io.EOF
		}
		h.cond.Wait()
	}
}

// arrived reports whether the first part can be read, and sees to it that the reader is woken when it can.
func (h *half) arrived() bool {
	if h.stalled {
		return false
	}
	if !h.slow() {
		return true
	}
	wait := max(time.Until(h.parts[0].at), time.Until(h.dry))
	if wait <= 0 {
		return true
	}
	if h.arrival != nil {
		h.arrival.Stop()
	}
	h.arrival = time.AfterFunc(wait, h.wake)
	return false
}

// slow reports whether time plays a part.
func (h *half) slow() bool { return h.cfg.Delay != 0 || h.cfg.Jitter != 0 || h.cfg.Drip != 0 }

func (h *half) take(p []byte) int {
	if h.cfg.Chunk > 0 {
		most := h.cfg.Chunk
		if h.random != nil {
			most = 1 + h.random.IntN(h.cfg.Chunk)
		}
		p = p[:min(len(p), most)]
	}
	if h.cfg.Drip != 0 {
		h.dry = time.Now().Add(h.cfg.Drip)
	}
	total := 0
	for len(p) > 0 && h.size > 0 && (total == 0 || !h.slow() || time.Until(h.parts[0].at) <= 0) {
		first := &h.parts[0]
		n := copy(p, first.b)
		p, first.b = p[n:], first.b[n:]
		total += n
		h.size -= n
		if len(first.b) == 0 {
			h.parts[0] = part{}
			h.parts = h.parts[1:]
		}
	}
	return total
}

// write writes p; if it is not to wait, as much of it as there is room for.
func (h *half) write(p []byte, wait bool) (total int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.writeErr != nil:
			return total, h.writeErr
		case h.failed:
			return total, ErrCut
		case h.readClosed:
			return total, io.ErrClosedPipe
		case h.writeBy.passed():
			return total, os.ErrDeadlineExceeded
		case len(p) == 0:
			return total, nil
		}
		if h.vanished {
			return total + len(p), nil
		}
		n := h.beforeFault(min(len(p), h.cfg.Buffer-h.size))
		if n == 0 && !wait {
			return total, nil
		}
		if n == 0 {
			h.cond.Wait()
			continue
		}
		h.carried += int64(n)
		total += n
		switch h.carried {
		case h.cfg.CutAfter:
			h.mu.Unlock()
			h.cut()
			h.mu.Lock()
			continue
		case h.cfg.VanishAfter:
			h.vanished = true
		case h.cfg.ResetAfter:
			h.writeErr, h.readErr = ErrReset, ErrReset
		}
		h.put(p[:n])
		p = p[n:]
	}
}

// beforeFault is how many of n bytes go before the next fault of the configuration.
func (h *half) beforeFault(n int) int {
	for _, at := range [...]int64{h.cfg.CutAfter, h.cfg.ResetAfter, h.cfg.VanishAfter} {
		if at > h.carried {
			n = int(min(int64(n), at-h.carried))
		}
	}
	return n
}

func (h *half) put(p []byte) {
	at := time.Now().Add(h.cfg.Delay)
	if h.jitter != nil && h.cfg.Jitter > 0 {
		at = at.Add(time.Duration(h.jitter.Int64N(int64(h.cfg.Jitter) + 1)))
	}
	if at.Before(h.latest) {
		at = h.latest
	}
	h.latest = at
	h.parts = append(h.parts, part{append([]byte(nil), p...), at})
	h.size += len(p)
	h.changed()
}

func (h *half) closeRead() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readClosed = true
	h.parts, h.size = nil, 0
	h.changed()
}

// closeWrite ends the direction; why is what later Writes return.
func (h *half) closeWrite(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writeErr = why
	h.changed()
}

func (h *half) fail() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = true
	h.parts, h.size = nil, 0
	h.changed()
}

func (h *half) vanish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.vanished = true
	h.cond.Broadcast()
}

func (h *half) stall(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stalled = on
	h.cond.Broadcast()
}

func (h *half) buffered() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.size
}
