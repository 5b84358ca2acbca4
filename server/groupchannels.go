package server

import (
	"fmt"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// openers are who was the first to send to a session on each of its group channels, which it has
// till its end. By key, as unanswered: a new session of the same client does not begin to count
// anew. It holds 8 KiB at most.
type openers struct {
	mu sync.Mutex // below all others
	of map[string]keys.PublicKey
}

var errManyChannels = &channel.Error{Code: channel.CodeLimit,
	Text: fmt.Sprintf("others send to it on %d channels at most, and each on %d", wire.MaxGroupChannels,
		mostGroupChannels)}

// mayUse reports whether a client may send to the session on a group channel, and notes that it does if nobody has yet.
func (o *openers) mayUse(name string, key keys.PublicKey) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.of[name]; ok {
		return true
	}
	count := 0
	for _, other := range o.of {
		if other == key {
			count++
		}
	}
	if count >= mostGroupChannels || len(o.of) >= wire.MaxGroupChannels {
		return false
	}
	if o.of == nil {
		o.of = make(map[string]keys.PublicKey)
	}
	o.of[name] = key
	return true
}

// offerFirst is offer for a message that was not offered before.
func (s *Session) offerFirst(d *delivery) error {
	if d.group != nil && !s.openers.mayUse(d.Channel, d.From.Key) {
		return errManyChannels
	}
	return s.offer(d)
}
