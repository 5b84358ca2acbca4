package server

import (
	"container/list"
	"time"

	"github.com/pysock/pysock/keys"
)

// A shelf remembers things of keys for a time: so many in all, and so many of one key, so that a
// key pushes out its own before those of others. What is too old is not found any more, and goes
// with the next that is put there. Its owner's lock guards it.
type shelf[ID comparable, V any] struct {
	keep       time.Duration
	most, each int
	all        list.List // of *shelved[ID, V], the oldest first
	byID       map[ID]*list.Element
	of         map[keys.PublicKey]int
}

type shelved[ID comparable, V any] struct {
	id    ID
	key   keys.PublicKey
	value V
	since time.Time
}

func newShelf[ID comparable, V any](keep time.Duration, most, each int) *shelf[ID, V] {
	return &shelf[ID, V]{keep: keep, most: most, each: each, byID: make(map[ID]*list.Element),
		of: make(map[keys.PublicKey]int)}
}

// put remembers a value, in the place of an older one of the same id.
func (s *shelf[ID, V]) put(id ID, key keys.PublicKey, value V, now time.Time) {
	s.expire(now)
	if e, ok := s.byID[id]; ok {
		s.remove(e)
	}
	if s.of[key] >= s.each {
		s.remove(s.oldest(key))
	}
	if s.all.Len() >= s.most {
		s.remove(s.all.Front())
	}
	s.byID[id] = s.all.PushBack(&shelved[ID, V]{id, key, value, now})
	s.of[key]++
}

// get finds a value and whose it is.
func (s *shelf[ID, V]) get(id ID, now time.Time) (value V, key keys.PublicKey, ok bool) {
	s.expire(now)
	e, ok := s.byID[id]
	if !ok {
		return value, key, false
	}
	it := e.Value.(*shelved[ID, V])
	return it.value, it.key, true
}

// take is get for who wants to have it alone.
func (s *shelf[ID, V]) take(id ID, now time.Time) (value V, ok bool) {
	if value, _, ok = s.get(id, now); ok {
		s.remove(s.byID[id])
	}
	return value, ok
}

func (s *shelf[ID, V]) expire(now time.Time) {
	for e := s.all.Front(); e != nil && now.Sub(e.Value.(*shelved[ID, V]).since) >= s.keep; e = s.all.Front() {
		s.remove(e)
	}
}

func (s *shelf[ID, V]) oldest(key keys.PublicKey) *list.Element {
	e := s.all.Front()
	for e.Value.(*shelved[ID, V]).key != key {
		e = e.Next()
	}
	return e
}

func (s *shelf[ID, V]) remove(e *list.Element) {
	it := s.all.Remove(e).(*shelved[ID, V])
	delete(s.byID, it.id)
	if s.of[it.key]--; s.of[it.key] == 0 {
		delete(s.of, it.key)
	}
}
