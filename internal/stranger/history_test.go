package stranger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A ledger is what a handler was given, in its order. A message is taken before
// its handler has it, so the test waits for each.
type ledger chan string

func (g ledger) handle(m *Message) { g <- string(m.Body) }

// next checks what comes next; something that comes twice is in the way.
func (g ledger) next(t *testing.T, bodies ...string) {
	t.Helper()
	for _, want := range bodies {
		require.Equal(t, want, <-g)
	}
}

func sendAll(t *testing.T, l *Link, channel string, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		require.NoError(t, l.Send(channel, 0, []byte(b)))
	}
	require.NoError(t, l.Flush(channel))
}

// What is sent again with its old number is not given twice; what is not, is a gap.
func TestSequences(t *testing.T) {
	g := make(ledger, 16)
	s := newSite(t, 0, LinkConfig{Library: &Library{}, Handlers: map[string]func(*Message){
		"log": g.handle, "ask": theirHandlers()["ask"],
	}})
	h := NewHistory([16]byte{1})
	dial := func() *Client {
		c, err := Dial(s.conn(), identity(1).key, s.hub.public(), Hello{}, LinkConfig{MaxMessage: maxMessage, History: h})
		require.NoError(t, err)
		return c
	}
	c := dial()
	record := h.Record()
	require.NotEqual(t, none, record)
	sendAll(t, c.Link, "log", "0", "1")
	call, err := c.Request("ask", 0, nil) // a request has no number
	require.NoError(t, err)
	_, err = call.Wait()
	require.NoError(t, err)
	sendAll(t, c.Link, "log", "2")
	g.next(t, "0", "1", "2")
	require.NoError(t, c.below.Close())
	<-c.Done()

	h.Again("log", 1)
	d := dial()
	require.Equal(t, record, h.Record())
	sendAll(t, d.Link, "log", "1", "2", "3")
	g.next(t, "3")

	h.Again("log", 6)
	e := dial()
	<-d.Done()
	sendAll(t, e.Link, "log", "6")
	g.next(t, "6")
	theirs := s.server.Link.Library.find(identity(1).public(), h.Instance)
	require.Equal(t, []Gap{{"log", 4, 6}}, theirs.Lost())

	// Another instance begins by itself, wherever it says.
	h = NewHistory([16]byte{2})
	h.Again("log", 3)
	f := dial()
	require.NotEqual(t, record, h.Record())
	sendAll(t, f.Link, "log", "other 3")
	g.next(t, "other 3")
	over(f)
	s.wait()
	require.Empty(t, g)
}

// The server's numbers go on, too, and the client forgets them with a server
// that does not know it.
func TestSequencesBack(t *testing.T) {
	s := newSite(t, time.Minute, LinkConfig{Library: &Library{}})
	h := NewHistory([16]byte{1})
	receive := func(c *Client, want string) {
		m, err := c.Receive()
		require.NoError(t, err)
		require.Equal(t, want, string(m.Body))
	}
	c := s.dial(1, LinkConfig{History: h})
	require.NoError(t, c.Ping(1))
	l := <-s.links
	require.NoError(t, l.Send("log", 0, []byte("0")))
	require.NoError(t, l.Send("log", 0, []byte("1")))
	receive(c, "0")
	receive(c, "1")
	over(c)

	record := h.Record()
	theirs := s.server.Link.Library.find(identity(1).public(), h.Instance)
	theirs.Again("log", 1)
	d := s.dial(1, LinkConfig{History: h})
	require.Equal(t, record, h.Record())
	l = <-s.links
	require.NoError(t, l.Send("log", 0, []byte("1")))
	require.NoError(t, l.Send("log", 0, []byte("2")))
	receive(d, "2")
	over(d)
	require.Empty(t, h.Lost())

	// h does not hear the first welcome of the one that knows nothing.
	restarted := newSite(t, time.Minute, LinkConfig{Library: &Library{}})
	unheard := restarted.dial(1, LinkConfig{History: NewHistory(h.Instance)})
	l = <-restarted.links
	require.NoError(t, l.Send("log", 0, []byte("not heard")))
	receive(unheard, "not heard")
	over(unheard)
	require.Equal(t, record, h.Record())
	e := restarted.dial(1, LinkConfig{History: h})
	require.NotEqual(t, record, h.Record())
	require.Equal(t, unheard.cfg.History.Record(), h.Record())
	l = <-restarted.links
	require.NoError(t, l.Send("log", 0, []byte("first of the new")))
	receive(e, "first of the new")
	over(e)
	s.wait()
	restarted.wait()
}

// Of group channels nothing is remembered: their numbers begin anew with each link.
func TestGroupsHaveNoHistory(t *testing.T) {
	s := newSite(t, time.Minute, LinkConfig{Library: &Library{}})
	h := NewHistory([16]byte{1})
	for range 2 {
		c := s.dial(1, LinkConfig{History: h})
		l := <-s.links
		l.mu.Lock()
		l.enqueue(&frame{kind: frameChannel, id: 1, of: kindGroup, name: "log"})
		head := append(append([]byte("\x03bob"), identity(2).public()...), "\x04crew"...)
		for _, body := range []string{"0", "1"} {
			for _, f := range cut(frame{kind: frameMessage, id: 1}, append(head, body...)) {
				l.enqueue(f)
			}
		}
		l.mu.Unlock()
		for _, want := range []string{"0", "1"} {
			m, err := c.Receive()
			require.NoError(t, err)
			require.Equal(t, want, string(m.Body))
			require.Equal(t, "crew", m.From.Group)
		}
		over(c)
	}
	s.wait()
}

// A record is there for an instance, and for nothing else.
func TestWelcomeFits(t *testing.T) {
	one, token := [16]byte{15: 1}, &Token{}
	for name, c := range map[string]struct {
		hello   Hello
		welcome Welcome
		fits    bool
	}{
		"no instance":             {Hello{}, Welcome{}, true},
		"no instance, a record":   {Hello{}, Welcome{Record: one}, false},
		"instance":                {Hello{Instance: one}, Welcome{Record: one}, true},
		"instance, no record":     {Hello{Instance: one}, Welcome{}, false},
		"resumed":                 {Hello{Instance: one, Token: token}, Welcome{Resumed: true}, true},
		"resumed without a token": {Hello{Instance: one}, Welcome{Resumed: true}, false},
		"anew":                    {Hello{Instance: one, Token: token}, Welcome{Record: one}, true},
		"anew, no record":         {Hello{Instance: one, Token: token}, Welcome{}, false},
		"not offered":             {Hello{}, Welcome{Features: featureResume}, false},
	} {
		require.Equal(t, c.fits, c.welcome.fits(&c.hello), name)
	}
}
