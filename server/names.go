package server

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

const (
	defaultMaxNames = 10_000
	mostNames       = 100_000 // that many of the longest lines fit in maxNamesFile
	defaultExpire   = 90 * day
	day             = 24 * time.Hour
)

var errNamesClosed = fmt.Errorf("server: the book of names: %w", os.ErrClosed)

// Names is the book of an open server: who has which name. A name goes to the key that asks first,
// and stays that key's until it expires or is released. A key has one name at a time.
//
// The book is kept in a text file, which belongs to the server while it runs: there [Names.Release]
// frees a name. While the server is down an operator may edit the file; removing a line releases
// the name. It has a line NAME KEY LAST-SEEN for each name, the last a date in UTC as in RFC 3339,
// lines that are empty or start with # and are kept, and the last line "# end", which shows that
// nothing was cut off.
//
// Names are compared exactly, but a name that looks like one that another key has is refused too:
// Alice is, while there is alice. What looks alike is what is the same in Unicode normal form KC
// when letter case is ignored. Letters of two scripts that look alike are not found.
//
// Days are days in UTC by the time that callers pass in. All methods may be called by several goroutines at once.
type Names struct {
	path   string // absolute and without links; empty if the book is in memory only
	given  string // the path as it was given, for errors
	max    int
	expire int      // days; negative for never
	lock   *os.File // guarded by writing once the book is open

	// writing is held by who writes the file. It is taken before mu and never while mu is held: no
	// lookup waits for a disk.
	writing sync.Mutex

	mu      sync.Mutex
	lines   []line // of the file, in order
	byName  map[string]*entry
	byKey   map[keys.PublicKey]*entry
	byFold  map[string]*entry // by foldName
	swept   int               // the day when there was last nothing left to expire
	pending *batch            // changes that no write has begun to save; nil for none
	stale   bool              // memory has something that the file has not, and that nobody waits for
	timer   *time.Timer       // of the write that mends that; nil for none
	flushes sync.WaitGroup    // counts timer's function
	closed  bool
}

// NamesConfig bounds a book of names. The zero value, and nil, have the defaults.
type NamesConfig struct {
	// Max is how many names there may be; 0 for 10,000, at most 100,000. A file that has more
	// already may be opened, but gets no new ones.
	Max int

	// Expire is how long a name is kept for a key that does not come, counted in whole days (parts
	// round up) after the day of its last visit; 0 for 90 days, negative for ever.
	Expire time.Duration
}

// entry is one name's. The text fields do not change.
type entry struct {
	name, fold string
	key        keys.PublicKey
	seen       int    // the day of the last visit, see dayOf
	saving     *batch // the batch that brings it to disk; nil in memory
}

// OpenNames opens the book in the file at path, and makes the file, of mode 0600, if there is none.
// An empty path gives a book that is in memory only. A nil cfg is the zero NamesConfig; it is not
// kept.
//
// The errors about the file are *[keys.FileError]: what is wrong in it, that it was cut off, that
// others can change it, or that somebody else has it open, be it another process or this one. That
// last is known by a lock on the file PATH.lock, which a process that dies loses.
func OpenNames(path string, cfg *NamesConfig) (*Names, error) {
	if cfg == nil {
		cfg = &NamesConfig{}
	}
	if cfg.Max < 0 || cfg.Max > mostNames {
		return nil, fmt.Errorf("server: NamesConfig.Max is %d; it is at most %d", cfg.Max, mostNames)
	}
	n := &Names{given: path, max: cfg.Max, byName: map[string]*entry{}, byKey: map[keys.PublicKey]*entry{},
		byFold: map[string]*entry{}}
	if n.max == 0 {
		n.max = defaultMaxNames
	}
	expire := cfg.Expire
	if expire == 0 {
		expire = defaultExpire
	}
	n.swept = firstDay - 1
	n.expire = -1
	if expire > 0 {
		n.expire = int((expire-1)/day) + 1
	}
	if path == "" {
		return n, nil
	}
	if err := n.open(); err != nil {
		return nil, err
	}
	return n, nil
}

// Claim gives the name to the key, or notes the visit of the key that has it; now is the time of
// the visit. A new name is on disk when Claim returns, and Claims that wait at the same time share
// one write. A visit is noted once a day and written within a minute or with the next new name, so
// Claim does not wait for it.
//
// The error is a *[channel.Error] for the client with CodeBadName if the name is not one, looks
// like [keys.ServerName] or starts with #; CodeNameTaken if another key has it or one that looks
// like it, or if the key has another name already; CodeLimit if the book is full. It is a
// *[keys.FileError] if the name cannot be written, and is then not given. It wraps [os.ErrClosed]
// after Close.
func (n *Names) Claim(name string, key keys.PublicKey, now time.Time) error {
	if key.IsZero() {
		return fmt.Errorf("server: claiming a name: %w", keys.ErrInvalidKey)
	}
	fold, err := checkOpenName(name)
	if err != nil {
		return badName(err)
	}
	n.mu.Lock()
	b, err := n.claim(&entry{name: name, fold: fold, key: key, seen: dayOf(now)})
	n.mu.Unlock()
	if err != nil {
		return err
	}
	return n.save(b)
}

// claimable is Claim without taking anything: its error, but for that of the file.
func (n *Names) claimable(name string, key keys.PublicKey, now time.Time) error {
	fold, err := checkOpenName(name)
	if err != nil {
		return badName(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err = n.makeWay(&entry{name: name, fold: fold, key: key, seen: dayOf(now)}, false)
	return err
}

// claim is Claim in memory. It returns the batch that the caller is to wait for. Call it with mu held.
func (n *Names) claim(e *entry) (*batch, error) {
	old, err := n.makeWay(e, true)
	if err != nil {
		return nil, err
	}
	if old != nil {
		// A clock that went back must not make the visit count for less: the name would be gone
		// once the clock is right.
		if e.seen > old.seen {
			old.seen = e.seen
			n.spoil()
		}
		return old.saving, nil
	}
	n.put(e)
	e.saving = n.change(func() { n.remove(e) })
	return e.saving, nil
}

// makeWay finds out whether the key may have the name, and the entry by which it has it already.
// With clear it removes what is in the way. Call it with mu held.
func (n *Names) makeWay(e *entry, clear bool) (old *entry, err error) {
	if n.closed {
		return nil, errNamesClosed
	}
	if old := n.byName[e.name]; old != nil && old.key == e.key {
		return old, nil
	}
	mine, alike := n.byKey[e.key], n.byFold[e.fold]
	switch {
	case mine != nil && !n.expired(mine, e.seen):
		return nil, &channel.Error{Code: channel.CodeNameTaken,
			Text: fmt.Sprintf("this key's name here is %q", mine.name)}
	case alike == nil || n.expired(alike, e.seen):
	case alike.name == e.name:
		return nil, &channel.Error{Code: channel.CodeNameTaken}
	default:
		return nil, &channel.Error{Code: channel.CodeNameTaken, Text: "it looks like another client's name"}
	}
	if clear {
		n.remove(mine)
		n.remove(alike)
	} else if mine != nil || alike != nil {
		return nil, nil // they give their place
	}
	if len(n.byName) >= n.max {
		n.sweep(e.seen)
	}
	if len(n.byName) >= n.max {
		return nil, &channel.Error{Code: channel.CodeLimit, Text: "this server has no more names to give"}
	}
	return nil, nil
}

// visited notes at the end of a visit that began at since that the key still comes, unless the name
// was released meanwhile or has expired.
func (n *Names) visited(name string, key keys.PublicKey, since, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e := n.byName[name]; e != nil && e.key == key && !n.expired(e, dayOf(since)) {
		_, _ = n.claim(&entry{name: name, key: key, seen: dayOf(now)}) // it has the name already
	}
}

// Release takes the name from whoever has it, so that the next key that asks gets it. It is on disk
// when Release returns. A session under the name goes on. The error is [keys.ErrNotKnown] if nobody
// has the name, a *[keys.FileError] if the file cannot be written, and the name then kept. It wraps
// [os.ErrClosed] after Close.
func (n *Names) Release(name string) error {
	n.mu.Lock()
	e := n.byName[name]
	var err error
	switch {
	case n.closed:
		err = errNamesClosed
	case e == nil:
		err = keys.ErrNotKnown
	}
	if err != nil {
		n.mu.Unlock()
		return err
	}
	n.remove(e)
	b := n.change(func() { n.put(e) })
	n.mu.Unlock()
	return n.save(b)
}

// Lookup returns the key that has the name, and whether one has that has not expired by now.
func (n *Names) Lookup(name string, now time.Time) (keys.PublicKey, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.byName[name]
	if e == nil || n.expired(e, dayOf(now)) {
		return keys.PublicKey{}, false
	}
	return e.key, true
}

// NameOf returns the name that the key has, and whether it has one that has not expired by now.
func (n *Names) NameOf(key keys.PublicKey, now time.Time) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.byKey[key]
	if e == nil || n.expired(e, dayOf(now)) {
		return "", false
	}
	return e.name, true
}

// heldByOther reports whether another key has the name in the book, or one that looks like it.
func (n *Names) heldByOther(name, fold string, key keys.PublicKey, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range []*entry{n.byName[name], n.byFold[fold]} {
		if e != nil && e.key != key && !n.expired(e, dayOf(now)) {
			return true
		}
	}
	return false
}

// Len returns how many names are in the book. Those that have expired count until their place is needed.
func (n *Names) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.byName)
}

// All returns the names and their keys, sorted by name, as they are when the iteration begins.
// Those that have expired are among them until their place is needed. The book may be changed
// meanwhile.
func (n *Names) All() iter.Seq2[string, keys.PublicKey] {
	return func(yield func(string, keys.PublicKey) bool) {
		n.mu.Lock()
		all := make([]*entry, 0, len(n.byName))
		for _, e := range n.byName {
			all = append(all, e)
		}
		n.mu.Unlock()
		slices.SortFunc(all, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
		for _, e := range all {
			if !yield(e.name, e.key) {
				return
			}
		}
	}
}

// Close writes what is not written yet and lets others open the file. Its error says that it could
// not. Claim and Release fail from then on, the rest goes on. Closing again does nothing.
func (n *Names) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	if n.timer != nil && n.timer.Stop() {
		n.flushes.Done()
	}
	n.mu.Unlock()
	n.flushes.Wait()
	if n.path == "" {
		return nil
	}
	n.writing.Lock()
	defer n.writing.Unlock()
	return errors.Join(n.writeIfStale(), unlockNames(n.lock))
}
