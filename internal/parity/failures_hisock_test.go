package parity_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// No encryption: here nothing that is said, nor a name, nor a channel, is on the network in clear, in either direction.
func TestWrong_HiSock_NothingIsInClear(t *testing.T) {
	w := hub(t, nil, "alice-in-clear")
	w.Server.Handler.Handle("channel-in-clear", testworld.Echo)
	var p tap
	alice := w.Dial("alice-in-clear", func(c *client.Config) { c.DialContext, c.Groups = p.dial, []string{"group-in-clear"} })
	_, err := alice.Request(t.Context(), "channel-in-clear", []byte("body-in-clear"))
	require.NoError(t, err)
	require.NoError(t, session(t, w, "alice-in-clear").Send(t.Context(), "news", []byte("more-in-clear")))
	_, err = alice.Receive(t.Context())
	require.NoError(t, err)
	up, down, _ := p.seen()
	require.NotEmpty(t, up)
	require.NotEmpty(t, down)
	require.NotContains(t, string(up), "in-clear")
	require.NotContains(t, string(down), "in-clear")
	key := w.Files["alice-in-clear"].Public.Bytes()
	require.NotContains(t, string(up), string(key), "who it is nobody sees")
}

// stillServes requires that a client's requests are answered.
func stillServes(t *testing.T, c *client.Client) {
	t.Helper()
	m, err := c.Request(t.Context(), "test", []byte("still there?"))
	require.NoError(t, err)
	require.Equal(t, "still there?", string(m.Body))
}

// One malformed hello stops the whole server.
func TestWrong_HiSock_MalformedHello(t *testing.T) {
	w := hub(t, func(s *server.Server) { s.Handler.Handle("test", testworld.Echo) }, "alice", "mallory")
	alice := w.Dial("alice", nil)
	good, err := (&wire.Hello{MaxMessage: wire.DefaultMaxMessage, Name: "mallory"}).Append(nil)
	require.NoError(t, err)
	for what, hello := range map[string][]byte{
		"nothing": nil, "garbage": []byte("\xff\xfe{}"), "cut short": good[:len(good)-1], "too long": append(good, 0),
		"HiSock's": []byte(`$KEEPALIVE$ {"name": null, "group": 5}`), "the longest": []byte(strings.Repeat("\x00", wire.MaxHello)),
	} {
		raw, err := net.Dial("tcp", w.Address)
		require.NoError(t, err)
		_, err = secure.Initiate(t.Context(), raw, &secure.Config{
			Key: w.Files["mallory"].Private, Hello: hello, VerifyPeer: func(keys.PublicKey) error { return nil },
		})
		var refused *secure.RefusedError
		require.ErrorAs(t, err, &refused, what)
		stillServes(t, alice)
	}
	for _, name := range []string{"a\nb", "\x1b[31mred", "\u202egnp", "a/b", "..", strings.Repeat("a", 65), "\xff"} {
		f := *w.Files["mallory"]
		f.Name = name
		_, err := w.TryDial("mallory", func(c *client.Config) { c.Keys = &f })
		require.Error(t, err, "%q", name)
		stillServes(t, alice)
	}
	w.Dial("mallory", nil)
}

// A handler's exception stops the whole server.
func TestWrong_HiSock_HandlerPanics(t *testing.T) {
	w := hub(t, func(s *server.Server) {
		boom := func(context.Context, channel.Conn, *channel.Message) error {
			panic("handled")
		}
		s.OnJoin = func(s *server.Session) {
			if s.Peer().Name == "bob" {
				panic("joined")
			}
		}
		s.OnLeave = func(*server.Session, error) { panic("left") }
		s.AllowLeave = func(channel.Peer, string) error { panic("policy") }
		s.Handler.Handle("boom", boom)
		s.Handler.Handle("test", testworld.Echo)
	}, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	for range 3 {
		_, err := bob.Request(t.Context(), "boom", nil)
		require.ErrorIs(t, err, channel.CodeInternal)
		require.NoError(t, bob.Send(t.Context(), "boom", nil))
	}
	require.NoError(t, bob.Flush(t.Context()))
	require.NoError(t, bob.JoinGroup(t.Context(), "g"))
	require.ErrorIs(t, bob.LeaveGroup(t.Context(), "g"), channel.CodeInternal)
	stillServes(t, bob)
	require.NoError(t, bob.Close())
	stillServes(t, alice)
	stillServes(t, w.Dial("bob", nil))
}

// A rename with no handler stops the whole server: here no hook has to be there.
func TestWrong_HiSock_RenameWithoutHandler(t *testing.T) {
	w := hub(t, func(s *server.Server) { s.Handler.Handle("test", testworld.Echo) }, "alice")
	require.Nil(t, w.Server.OnRename)
	alice := w.Dial("alice", nil)
	require.NoError(t, alice.Rename(t.Context(), "queen"))
	require.NoError(t, alice.JoinGroup(t.Context(), "g"))
	require.NoError(t, alice.LeaveGroup(t.Context(), "g"))
	stillServes(t, alice)

	none := hub(t, func(s *server.Server) { s.Handler = nil }, "alice")
	alice = none.Dial("alice", nil)
	require.NoError(t, alice.Rename(t.Context(), "queen"))
	require.NoError(t, alice.Send(t.Context(), "test", nil))
	require.ErrorIs(t, alice.Flush(t.Context()), channel.CodeNoHandler)
}

// One silent client freezes all: here neither those do that never speak, nor those that stop in the middle.
func TestWrong_HiSock_SilentClient(t *testing.T) {
	w := hub(t, func(s *server.Server) { s.Handler.Handle("test", testworld.Echo) }, "alice", "bob", "mallory")
	for i := range 60 {
		conn, err := net.Dial("tcp", w.Address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "PYSOCK\x01\x00\x04\xc0half a message"[:i%24])
		require.NoError(t, err)
	}
	_, err := w.Raw("mallory").Write(wire.AppendChannel(nil, 1, 0, wire.KindApplication, "test")[:5]) // and nothing more
	require.NoError(t, err)
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	stillServes(t, alice)
	stillServes(t, bob)
	report, err := w.Server.Broadcast(t.Context(), "news", []byte("to all"))
	require.NoError(t, err)
	require.NoError(t, report.Err())
	for _, c := range []*client.Client{alice, bob} {
		m, err := c.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "to all", string(m.Body))
	}
}

// … nor one that does not read: what is sent to all reaches the others at once, and the silent one
// is sent away in the end.
func TestWrong_HiSock_SilentReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan string, 10)
		is := newIsland(t, func(s *server.Server) {
			s.OnLeave = func(s *server.Session, reason error) { left <- fmt.Sprint(s.Peer().Name, " ", reason) }
		}, "mallory", "alice", "bob")
		is.join("mallory", func(c *client.Config) { c.NoReconnect = true })
		is.near[0].Stall()
		begun := time.Now()
		var reading sync.WaitGroup
		for _, name := range []string{"alice", "bob"} {
			c := is.join(name, nil)
			reading.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for i := range 8 {
					if _, err := c.Receive(ctx); err != nil {
						t.Errorf("%s got %d: %v", name, i, err)
						return
					}
				}
				if since := time.Since(begun); since != 0 {
					t.Errorf("%s waited for %v", name, since)
				}
			})
		}
		var reports []channel.Report
		var sending sync.WaitGroup
		var mu sync.Mutex
		for range 8 { // so many that one who reads nothing has no more room
			sending.Go(func() {
				report, err := is.srv.Broadcast(t.Context(), "news", make([]byte, 1<<20))
				mu.Lock()
				defer mu.Unlock()
				if reports = append(reports, report); err != nil {
					t.Error(err)
				}
			})
		}
		reading.Wait()
		sending.Wait()
		unreached := 0
		for _, r := range reports {
			for _, u := range r.Unreached {
				require.Equal(t, "mallory", u.Peer.Name, "%v", u.Err)
				unreached++
			}
		}
		require.Equal(t, 5*time.Second, time.Since(begun), "SlowTimeout, once for all")
		require.Positive(t, unreached)
		require.Contains(t, next(t, left), "mallory")
		require.LessOrEqual(t, time.Since(begun), 15*time.Second)
		require.EqualValues(t, 1, is.srv.Stats().TooSlow)
		require.Equal(t, 2, is.srv.Stats().Sessions)
	})
}

// Control words inside the data: `lstrip("$CMD$")` turns "Chat" into "hat". Here names and bodies stay what they are.
func TestWrong_HiSock_ChatStaysChat(t *testing.T) {
	w := hub(t, nil, "alice", "bob")
	rest := make(inbox, 1)
	w.Server.Handler.Fallback(func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		if err := from.Send(ctx, m.Channel, m.Body); err != nil {
			return err
		}
		return rest.take(ctx, from, m)
	})
	alice := w.Dial("alice", nil)
	for _, name := range []string{"Chat", "$CMD$Chat", "CMD", "$MSG$", "$DATA$", "MDC$", "$KEEPALIVE$", "$NAMECHANGE$", "DISCONNECT$",
		"group", "service", "@", "{}", "b'x'", "é漢"} {
		for _, body := range []string{name, "$CMD$" + name, name + "$MSG$", "", "$MSG$", "DISCONNECT$"} {
			require.NoError(t, alice.Send(t.Context(), name, []byte(body)))
			m := rest.next(t)
			require.Equal(t, name, m.Channel)
			require.Equal(t, body, string(m.Body))
			m, err := alice.Receive(t.Context(), name)
			require.NoError(t, err)
			require.Equal(t, name, m.Channel)
			require.Equal(t, body, string(m.Body))
		}
	}

	// Each goes to the handler of its own name, too.
	taken := make(chan string, 1)
	names := []string{"Chat", "hat", "$CMD$Chat", "$CMD$hat", "$CMD$"}
	for _, name := range names {
		w.Server.Handler.Handle(name, func(context.Context, channel.Conn, *channel.Message) error {
			taken <- name
			return nil
		})
	}
	other := w.Dial("bob", nil)
	for _, name := range names {
		require.NoError(t, other.Send(t.Context(), name, []byte("$CMD$"+name)))
		require.Equal(t, name, next(t, taken))
	}
}

// Floats cut to 32 bits in a tuple.
func TestWrong_HiSock_FloatsKeep64Bits(t *testing.T) {
	w := hub(t, nil, "alice")
	alice := w.Dial("alice", nil)
	floats := []float64{0.1, math.Pi, 1 + 1e-15, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1), math.Inf(-1), 16777217,
		3}
	arrives(t, w.Server, alice, floats)
	arrives(t, w.Server, alice, [3]float64{0.1, 1.0 / 3, -2.5e-300})
	arrives(t, w.Server, alice, map[string][]float64{"a tuple in a dict": floats})
	got := make(chan []float64, 1)
	list := channel.Of[[]float64]("bits")
	list.Handle(w.Server.Handler, func(_ context.Context, _ channel.Conn, v []float64) error { got <- v; return nil })
	nan := math.Float64frombits(0x7ff8_0000_dead_beef)
	require.NoError(t, list.Send(t.Context(), alice, append(floats, nan)))
	for i, v := range next(t, got) {
		require.Equal(t, math.Float64bits(append(floats, nan)[i]), math.Float64bits(v))
	}
}

// None and bool refused.
func TestWrong_HiSock_NoneAndBool(t *testing.T) {
	w := hub(t, nil, "alice")
	alice := w.Dial("alice", nil)
	came := make(inbox, 1)
	w.Server.Handler.Handle("test", came.take)
	for _, v := range []any{nil, true, false, []any{nil, true, false}, map[string]any{"none": nil, "yes": true, "no": false}} {
		require.NoError(t, channel.Of[any]("test").Send(t.Context(), alice, v))
		got, err := came.next(t).Value()
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	arrives(t, w.Server, alice, true)
	arrives(t, w.Server, alice, false)
	arrives(t, w.Server, alice, (*bool)(nil))
	arrives(t, w.Server, alice, []*bool{nil, new(bool)})
}

// `max_connections` not enforced: of 20 who come at once 5 get in, and as soon as one leaves, one more.
func TestWrong_HiSock_MaxConnections(t *testing.T) {
	const most, all = 5, 20
	var names []string
	for i := range all {
		names = append(names, "c"+strconv.Itoa(i))
	}
	w := hub(t, func(s *server.Server) { s.Limits.MaxSessions = most }, names...)
	in := make(chan *client.Client, all)
	var dialing sync.WaitGroup
	for _, name := range names {
		dialing.Go(func() {
			switch c, err := w.TryDial(name, nil); {
			case err == nil:
				in <- c
			case !errors.Is(err, channel.CodeLimit):
				t.Error(err)
			}
		})
	}
	dialing.Wait()
	require.Len(t, in, most)
	require.Equal(t, most, w.Server.Stats().Sessions)
	require.NoError(t, (<-in).Close())
	in2 := 0
	for _, name := range names {
		if _, there := w.Server.Session(name); there {
			continue
		}
		if _, err := w.TryDial(name, nil); err == nil {
			in2++
		}
	}
	require.Equal(t, 1, in2)
}

// A length header up to 10^16 is believed: here a length is checked before anything is allocated, wherever it stands.
func TestWrong_HiSock_LengthIsNotBelieved(t *testing.T) {
	w := hub(t, func(s *server.Server) { s.Handler.Handle("test", testworld.Echo) }, "alice", "mallory")
	failed := make(chan error, 1)
	channel.Of[[]any]("typed").Handle(w.Server.Handler, func(context.Context, channel.Conn, []any) error { return nil })
	w.Server.Handler.OnError(func(e channel.ErrorEvent) { failed <- e.Err })
	alice := w.Dial("alice", nil)
	stillServes(t, alice)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)

	raw, err := net.Dial("tcp", w.Address)
	require.NoError(t, err)
	defer raw.Close()
	_, err = io.WriteString(raw, "9999999999999999Hello")
	require.NoError(t, err)
	_, _ = io.ReadAll(raw) // the server hangs up
	raw, err = net.Dial("tcp", w.Address)
	require.NoError(t, err)
	defer raw.Close()
	_, err = io.WriteString(raw, "PYSOCK\x01\x00\xff\xff"+strings.Repeat("x", 2000))
	require.NoError(t, err)
	_, _ = io.ReadAll(raw)

	// Behind the handshake, of who has a key: a message of 4 GiB, and one of which that is announced.
	open := wire.AppendChannel(nil, 1, 0, wire.KindApplication, "test")
	first := wire.Header{Type: wire.TypeMessage, Flags: wire.FlagFirst, Len: wire.MaxPayload, ID: 1}.Append(open)
	announced := wire.Header{Type: wire.TypeAnnounce, Len: 4, ID: 1}.Append(append([]byte{}, open...))
	for _, b := range [][]byte{append(append(first, 0xff, 0xff, 0xff, 0xff), make([]byte, wire.MaxPayload-4)...),
		append(announced, 0xff, 0xff, 0xff, 0xff)} {
		conn := w.Raw("mallory")
		_, err := conn.Write(b)
		require.NoError(t, err)
		require.EqualValues(t, wire.CodeProtocol, closeReason(t, conn).Code)
		require.NoError(t, conn.CloseNow())
	}
	// And within a body: arrays, maps and texts of 10^16.
	for _, head := range []byte{0x9b, 0xbb, 0x7b, 0x5b} {
		body := []byte{head, 0x00, 0x23, 0x86, 0xf2, 0x6f, 0xc1, 0x00, 0x00}
		require.NoError(t, alice.SendMessage(t.Context(), &channel.Message{Channel: "typed", Encoding: channel.CBOR, Body: body}))
		var bad *channel.DecodeError
		require.ErrorAs(t, next(t, failed), &bad)
	}
	stillServes(t, alice)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}
