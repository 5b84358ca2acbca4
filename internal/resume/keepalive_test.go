package resume

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// watch reads a Conn for ever, and notes when its connection was lost and why.
type watch struct {
	*Conn
	lost chan error
}

func watched(l Lower, cfg Config) *watch {
	w := &watch{lost: make(chan error, 10)}
	cfg.Lost = func(err error) { w.lost <- err }
	w.Conn = New(l, &cfg)
	go func() {
		for {
			if _, err := w.ReadRecord(); err != nil {
				return
			}
		}
	}()
	return w
}

func watchedPair(t *testing.T, cfg memnet.Config) (x, y *plain, a, b *watch) {
	x, y = lowers(cfg)
	a, b = watched(x, Config{}), watched(y, Config{})
	t.Cleanup(func() { a.Fail(nil); b.Fail(nil) })
	return x, y, a, b
}

// TestHalfOpen: a connection in which one direction carries nothing any more is found by both
// sides. Who still hears the other hears it until that one has given up.
func TestHalfOpen(t *testing.T) {
	const limit = DefaultIdle + DefaultTimeout
	for name, fault := range map[string]func(x, y *plain){
		"from a":  func(x, y *plain) { x.Vanish() },
		"from b":  func(x, y *plain) { y.Vanish() },
		"both":    func(x, y *plain) { x.Vanish(); y.Vanish() },
		"a deaf":  func(x, y *plain) { x.Stall() },
		"b deaf":  func(x, y *plain) { y.Stall() },
		"unasked": func(x, y *plain) { x.Stall(); y.Stall() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y, a, b := watchedPair(t, memnet.Config{})
				<-time.After(time.Minute) // quiet and healthy
				require.Empty(t, a.lost)
				require.Empty(t, b.lost)
				require.NoError(t, writeRecord(a.Conn, []byte("x")))
				synctest.Wait()
				begin := time.Now()
				fault(x, y)
				both := []error{<-a.lost, <-b.lost}
				require.LessOrEqual(t, time.Since(begin), limit)
				require.Contains(t, both, ErrSilent) // the other may have seen it being closed
			})
		})
	}
}

// TestBlackHole: a write into a connection that takes nothing is freed.
func TestBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := lowers(memnet.Config{Buffer: 100})
		a := watched(x, Config{})
		defer a.Fail(nil)
		defer y.CloseNow()
		begin := time.Now()
		require.NoError(t, writeRecord(a.Conn, make([]byte, 1000)))
		require.LessOrEqual(t, time.Since(begin), DefaultIdle+DefaultTimeout)
		require.Equal(t, ErrSilent, <-a.lost)
		require.NoError(t, writeRecord(a.Conn, make([]byte, 1000)), "it is kept")
	})
}

// TestQuiet: a healthy connection stays, whether it is quiet, carries a little or a lot slowly.
func TestQuiet(t *testing.T) {
	for name, every := range map[string]time.Duration{"silence": time.Hour, "a little": 7 * time.Second, "with the pings": DefaultIdle} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, _, a, b := watchedPair(t, memnet.Config{Delay: time.Second, Chunk: 1})
				for range time.Hour / every {
					<-time.After(every)
					require.NoError(t, writeRecord(a.Conn, []byte("x")))
				}
				require.Empty(t, a.lost)
				require.Empty(t, b.lost)
				require.Equal(t, 2*time.Second, a.RoundTrip())
				require.Equal(t, 2*time.Second, b.RoundTrip())
			})
		})
	}
}

// TestIdleKeepsNothing: what is not acknowledged because it is little goes with the next ping.
func TestIdleKeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, a, b := watchedPair(t, memnet.Config{})
		require.NoError(t, writeRecord(a.Conn, []byte("question")))
		require.NoError(t, writeRecord(b.Conn, []byte("answer")))
		synctest.Wait()
		require.NotZero(t, keeps(a.Conn)+keeps(b.Conn))
		<-time.After(DefaultIdle + time.Second)
		require.Zero(t, keeps(a.Conn))
		require.Zero(t, keeps(b.Conn))
	})
}

// TestNotListening: silence that nobody listens to is none.
func TestNotListening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan error, 1)
		x, y := lowers(memnet.Config{})
		a, b := New(x, &Config{Lost: func(err error) { lost <- err }}), watched(y, Config{})
		defer b.Fail(nil)
		defer a.Fail(nil)
		<-time.After(10 * time.Minute)
		require.Empty(t, lost)
		require.Equal(t, ErrSilent, <-b.lost, "while who listens hears that there is no answer")
	})
}

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, _, a, _ := watchedPair(t, memnet.Config{Delay: time.Second})
		a.Probe()
		a.Probe()
		<-time.After(3 * time.Second)
		require.Equal(t, 2*time.Second, a.RoundTrip())
		<-time.After(DefaultTimeout)
		require.Empty(t, a.lost)

		x.Stall()
		begin := time.Now()
		a.Probe()
		require.Equal(t, ErrSilent, <-a.lost)
		require.Equal(t, DefaultTimeout, time.Since(begin))
		a.Probe() // nothing to ask
		require.Equal(t, 2*time.Second, a.RoundTrip(), "it is remembered")
	})
}

func TestPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		go func() {
			for {
				if _, err := c.ReadRecord(); err != nil {
					return
				}
			}
		}()
		f.send(header{flags: flagPing, ping: 77}, "news")
		synctest.Wait()
		f.expect(header{flags: flagPong | flagAck, pong: 77, ack: 4}, "")
		f.send(header{flags: flagPong, pong: 5}, "")
		synctest.Wait()
		f.quiet()
		require.Zero(t, c.RoundTrip(), "a PONG that nobody waits for is ignored")

		c.Probe()
		synctest.Wait()
		h, _ := f.next()
		require.Equal(t, byte(flagPing), h.flags)
		<-time.After(time.Second)
		f.send(header{flags: flagPong, pong: h.ping}, "")
		synctest.Wait()
		require.Equal(t, time.Second, c.RoundTrip())
	})
}

// TestLastWords: why the other side is gone may lie unread when writing fails already.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := lowers(memnet.Config{})
		lost := make(chan error, 1)
		c := New(x, &Config{Lost: func(err error) { lost <- err }})
		defer c.Fail(nil)
		f := &far{t, y}
		f.send(header{}, strings.Repeat("why", 10))
		f.CutIn()
		require.NoError(t, writeRecord(c, []byte("x")), "it is kept")
		b, err := c.ReadRecord()
		require.NoError(t, err)
		require.Len(t, b, 30)
		begin := time.Now()
		go func() { _, _ = c.ReadRecord() }()
		require.ErrorIs(t, <-lost, memnet.ErrCut)
		require.Equal(t, lastWords, time.Since(begin))
	})
}

// TestAwaitSign: who waits for a sign of life asks for it, and hears whether it has come, how late,
// or that the connection is gone.
func TestAwaitSign(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(x, y *plain, a *watch)
		took  time.Duration
		there bool
	}{
		"answered": {func(*plain, *plain, *watch) {}, 0, true},
		"late":     {func(_, y *plain, _ *watch) { y.Stall(); time.AfterFunc(3*time.Second, y.Resume) }, 3 * time.Second, true},
		"silent":   {func(x, _ *plain, _ *watch) { x.Stall() }, DefaultTimeout, false},
		"ended":    {func(x, _ *plain, a *watch) { x.Stall(); time.AfterFunc(time.Second, func() { a.Fail(nil) }) }, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y, a, _ := watchedPair(t, memnet.Config{})
				begin := time.Now()
				<-time.After(time.Second) // in which nothing is heard
				asked := time.Now()
				c.fault(x, y, a)
				since, heard := a.AwaitSign(begin, time.Minute)
				require.Equal(t, c.took, time.Since(asked))
				if !c.there {
					require.Zero(t, since)
					return
				}
				require.Equal(t, begin, since)
				require.Equal(t, time.Now(), heard)
				_, heard = a.AwaitSign(begin, time.Minute)
				require.Equal(t, time.Now(), heard, "it has been heard already")
				x.Stall()
				_, heard = a.AwaitSign(time.Now(), 2*time.Second)
				require.Equal(t, c.took, heard.Sub(asked), "it does not wait longer than that")
			})
		})
	}
}
