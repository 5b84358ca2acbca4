package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/keys"
)

func newKey(t *testing.T) keys.PublicKey {
	t.Helper()
	key, err := keys.GeneratePrivateKey()
	require.NoError(t, err)
	return key.Public()
}

func TestShelf(t *testing.T) {
	alice, bob := newKey(t), newKey(t)
	begin := time.Now()
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	has := func(s *shelf[int, string], now time.Time) (ids []int) {
		for id := range 20 {
			if _, _, ok := s.get(id, now); ok {
				ids = append(ids, id)
			}
		}
		return ids
	}
	t.Run("it forgets after a time", func(t *testing.T) {
		s := newShelf[int, string](10*time.Second, 5, 5)
		s.put(1, alice, "a", at(0))
		s.put(2, bob, "b", at(5))
		value, key, ok := s.get(1, at(9))
		require.True(t, ok)
		require.Equal(t, "a", value)
		require.Equal(t, alice, key)
		require.Equal(t, []int{2}, has(s, at(10)))
		require.Empty(t, has(s, at(15)))
		require.Empty(t, s.byID)
		require.Empty(t, s.of)
	})
	t.Run("the oldest goes first", func(t *testing.T) {
		s := newShelf[int, string](time.Hour, 3, 3)
		for id, key := range []keys.PublicKey{alice, bob, alice, bob, alice} {
			s.put(id, key, "", at(id))
		}
		require.Equal(t, []int{2, 3, 4}, has(s, at(5)))
	})
	t.Run("a key pushes out its own", func(t *testing.T) {
		s := newShelf[int, string](time.Hour, 10, 2)
		s.put(0, bob, "", at(0))
		for id := 1; id < 10; id++ {
			s.put(id, alice, "", at(id))
		}
		require.Equal(t, []int{0, 8, 9}, has(s, at(10)))
	})
	t.Run("the same id", func(t *testing.T) {
		s := newShelf[int, string](time.Hour, 2, 2)
		s.put(1, alice, "old", at(0))
		s.put(2, alice, "", at(1))
		s.put(1, alice, "new", at(2))
		require.Equal(t, []int{1, 2}, has(s, at(3)))
		value, ok := s.take(1, at(3))
		require.True(t, ok)
		require.Equal(t, "new", value)
		_, ok = s.take(1, at(3))
		require.False(t, ok)
		require.Equal(t, []int{2}, has(s, at(3)))
	})
}
