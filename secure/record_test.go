package secure

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/pysock/pysock/secure/internal/noise"
	"github.com/stretchr/testify/require"
)

// session is one direction: a sealing end, and the key for opening ends.
type session struct {
	key  [32]byte
	send *noise.CipherState
}

func newSession(t testing.TB) *session {
	s := &session{key: [32]byte{1, 2, 3}}
	s.send = noise.NewCipherState(s.key)
	return s
}

// record seals whatever it is told to, allowed or not.
func (s *session) record(t testing.TB, kind recordType, content []byte) []byte {
	b := make([]byte, HeadRoom, HeadRoom+len(content)+TailRoom)
	rec, err := seal(s.send, kind, append(b, content...))
	require.NoError(t, err)
	return rec
}

func (s *session) records(t testing.TB, contents ...[]byte) []byte {
	var wire []byte
	for _, c := range contents {
		wire = append(wire, s.record(t, recordData, c)...)
	}
	return wire
}

// reader opens from the beginning what conn gives.
func (s *session) reader(conn net.Conn) *reader {
	in := &reader{}
	in.init(conn, noise.NewCipherState(s.key), false)
	return in
}

// fixed is a conn that gives b, step bytes at a time, and then ends.
type fixed struct {
	net.Conn
	b    []byte
	step int
	err  error // with the last bytes; io.EOF alone if nil
}

func (f *fixed) Read(p []byte) (int, error) {
	if len(f.b) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		return 0, io.EOF
	}
	n := len(p)
	if f.step > 0 {
		n = min(n, f.step)
	}
	n = copy(p[:n], f.b)
	f.b = f.b[n:]
	if len(f.b) == 0 {
		return n, f.err
	}
	return n, nil
}

func readAll(in *reader) (string, error) {
	b, err := io.ReadAll(readerFunc(in.read))
	return string(b), err
}

func TestReaderSteps(t *testing.T) {
	s := newSession(t)
	contents := [][]byte{
		[]byte("a"), bytes.Repeat([]byte("b"), smallSize-headerSize-minSealed+1),
		bytes.Repeat([]byte("c"), smallSize-headerSize-minSealed+2),
		bytes.Repeat([]byte("d"), MaxContent), []byte("e"), bytes.Repeat([]byte("f"), 10000),
	}
	wire := s.records(t, contents...)
	wire = append(wire, s.record(t, recordEnd, nil)...)
	want := string(bytes.Join(contents, nil))
	for _, step := range []int{0, 1, 3, 100, 511, 512, 513, 5000, 65537} {
		for _, last := range []error{nil, io.EOF, errors.New("boom")} {
			in := s.reader(&fixed{b: bytes.Clone(wire), step: step, err: last})
			got, err := readAll(in)
			require.NoError(t, err)
			require.True(t, want == got, "step %d", step)
			require.Nil(t, in.big, "the buffer must go back to the pool")
		}
	}
}

// An error that comes with bytes does not hide them, nor do they hide it.
func TestReaderLateError(t *testing.T) {
	s := newSession(t)
	boom := errors.New("boom")
	in := s.reader(&fixed{b: s.records(t, []byte("x")), err: boom})
	got, err := readAll(in)
	require.Equal(t, "x", got)
	require.Equal(t, boom, err)
}

type silent struct{ net.Conn }

func (silent) Read([]byte) (int, error) { return 0, nil }

func TestReaderNoProgress(t *testing.T) {
	_, err := readAll(newSession(t).reader(silent{}))
	require.Equal(t, io.ErrNoProgress, err)
}

// Every byte of every record counts; what came before is still delivered.
func TestRecordTampered(t *testing.T) {
	first := "first"
	for pos := range len("second") + 2*rekeyRecord {
		s := newSession(t)
		wire := s.records(t, []byte(first), []byte("second"))
		wire = append(wire, s.record(t, recordEnd, nil)...)
		at := rekeyRecord + len(first) + pos
		if at >= len(wire) {
			break
		}
		for _, flip := range []byte{1, 0x80} {
			b := bytes.Clone(wire)
			b[at] ^= flip
			got, err := readAll(s.reader(&fixed{b: b}))
			require.True(t, strings.HasPrefix("firstsecond", got) && len(got) >= len(first), "byte %d: %q", pos, got)
			// A wrong length is a wrong record, a bad one, or an end too early.
			var truncated *TruncatedError
			require.True(t, errors.Is(err, ErrTampered) || errors.As(err, &truncated) || errors.Is(err, ErrProtocol), "byte %d: %v", pos,
				err)
			if pos >= headerSize && pos < rekeyRecord+len("second") {
				require.ErrorIs(t, err, ErrTampered)
			}
		}
	}
}

func TestRecordTruncated(t *testing.T) {
	s := newSession(t)
	wire := s.records(t, []byte("first"), []byte("second"))
	wire = append(wire, s.record(t, recordEnd, nil)...)
	for cut := range len(wire) {
		got, err := readAll(s.reader(&fixed{b: bytes.Clone(wire[:cut])}))
		require.True(t, strings.HasPrefix("firstsecond", got))
		var truncated *TruncatedError
		require.ErrorAs(t, err, &truncated, "cut at %d", cut)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		switch cut {
		case 0, 24, 24 + 25:
			require.Equal(t, "stream", truncated.During)
		default:
			require.Equal(t, "record", truncated.During)
		}
	}
}

func TestRecordOrder(t *testing.T) {
	s := newSession(t)
	a, b, c := s.records(t, []byte("a")), s.records(t, []byte("b")), s.records(t, []byte("c"))
	for name, wire := range map[string][][]byte{
		"reordered": {b, a}, "replayed": {a, a}, "left out": {a, c},
	} {
		in := s.reader(&fixed{b: bytes.Join(wire, nil)})
		_, err := readAll(in)
		require.ErrorIs(t, err, ErrTampered, name)
		_, err = readAll(in)
		require.ErrorIs(t, err, ErrTampered, "final")
	}
	// Reflection: what one side sent comes back to it under its other key.
	ri, _ := results(t)
	b2 := make([]byte, HeadRoom, 100)
	rec, err := seal(ri.Send, recordData, append(b2, "mirror"...))
	require.NoError(t, err)
	in := &reader{}
	in.init(&fixed{b: rec}, ri.Recv, false)
	_, err = readAll(in)
	require.ErrorIs(t, err, ErrTampered)
}

// results is a finished handshake without any connection.
func results(t testing.TB) (initiator, responder *noise.Result) {
	i, err := noise.New(noise.Config{Suite: noise.XXhfs, Initiator: true, Static: newKey(t).ECDH()})
	require.NoError(t, err)
	r, err := noise.New(noise.Config{Suite: noise.XXhfs, Static: newKey(t).ECDH()})
	require.NoError(t, err)
	from, to := i, r
	for range 3 {
		msg, err := from.WriteMessage(nil, nil)
		require.NoError(t, err)
		_, err = to.ReadMessage(nil, msg)
		require.NoError(t, err)
		from, to = to, from
	}
	ri, err := i.Split()
	require.NoError(t, err)
	rr, err := r.Split()
	require.NoError(t, err)
	return ri, rr
}

// Authentic records that break the rules.
func TestRecordProtocol(t *testing.T) {
	for name, make := range map[string]func(*session) []byte{
		"empty data":      func(s *session) []byte { return s.record(t, recordData, nil) },
		"end and content": func(s *session) []byte { return s.record(t, recordEnd, []byte("x")) },
		"verdict":         func(s *session) []byte { return s.record(t, recordVerdict, []byte{verdictWelcome}) },
		"empty verdict":   func(s *session) []byte { return s.record(t, recordVerdict, nil) },
		"early rekey":     func(s *session) []byte { return s.record(t, recordRekey, nil) },
		"unknown type":    func(s *session) []byte { return s.record(t, 4, []byte("x")) },
		"length 0":        func(*session) []byte { return []byte{0, 0} },
		"length 16":       func(*session) []byte { return append([]byte{0, 16}, bytes.Repeat([]byte{0}, 16)...) },
		"data after end": func(s *session) []byte {
			return append(s.record(t, recordEnd, nil), s.records(t, []byte("x"))...)
		},
		"end after end": func(s *session) []byte {
			return append(s.record(t, recordEnd, nil), s.record(t, recordEnd, nil)...)
		},
	} {
		s := newSession(t)
		in := s.reader(&fixed{b: make(s)})
		for range 2 {
			_, err := readAll(in)
			require.ErrorIs(t, err, ErrProtocol, name)
		}
	}
	// The verdict must be first for an initiator, and come once.
	for name, wire := range map[string]func(*session) []byte{
		"data first": func(s *session) []byte { return s.records(t, []byte("x")) },
		"end first":  func(s *session) []byte { return s.record(t, recordEnd, nil) },
		"twice": func(s *session) []byte {
			v := s.record(t, recordVerdict, []byte{verdictWelcome})
			return append(v, s.record(t, recordVerdict, []byte{verdictWelcome})...)
		},
	} {
		s := newSession(t)
		in := s.reader(&fixed{b: wire(s)})
		in.first = true
		_, err := in.verdict()
		if name == "twice" {
			require.NoError(t, err)
			_, err = readAll(in)
		}
		require.ErrorIs(t, err, ErrProtocol, name)
	}
}

// near is both ends of a direction, some records before the first rekey.
// Getting there takes a while, so it is done once and copied.
var near = sync.OnceValue(func() [2]noise.CipherState {
	key := new(session).key
	send, recv := noise.NewCipherState(key), noise.NewCipherState(key)
	buf := make([]byte, 0, HeadRoom+1+TailRoom)
	for send.Nonce() < rekeyInterval-4 {
		rec, err := seal(send, recordData, buf[:HeadRoom+1])
		if err == nil {
			_, _, err = open(recv, rec[headerSize:])
		}
		if err != nil {
			panic(err)
		}
	}
	return [2]noise.CipherState{*send, *recv}
})

// skipTo makes record n the next, which must be near the first rekey.
func skipTo(t testing.TB, n uint64) (send, recv *noise.CipherState) {
	states := near()
	send, recv = &states[0], &states[1]
	for send.Nonce() < n {
		rec, err := seal(send, recordData, make([]byte, HeadRoom+1, HeadRoom+1+TailRoom))
		require.NoError(t, err)
		_, _, err = open(recv, rec[headerSize:])
		require.NoError(t, err)
	}
	return send, recv
}

func TestRekey(t *testing.T) {
	const last = rekeyInterval - 1
	send, recv := skipTo(t, last-1)
	mem := &stuck{k: 1 << 20}
	c := &Conn{conn: mem}
	c.out.conn, c.out.keys = mem, send
	for _, text := range []string{"before ", "at ", "after"} {
		_, err := c.Write([]byte(text))
		require.NoError(t, err)
	}
	require.Equal(t, uint64(last+3), send.Nonce(), "one of the records is the rekey")
	in := &reader{}
	in.init(&fixed{b: mem.sent}, recv, false)
	buf := make([]byte, 100)
	n, err := in.read(buf)
	require.NoError(t, err)
	require.Equal(t, "before at after", string(buf[:n]))

	// WriteRecord and CloseWrite at the same place.
	for _, write := range []func(*Conn) error{
		func(c *Conn) error {
			_, err := c.WriteRecord(append(make([]byte, HeadRoom, 100), "x"...))
			return err
		},
		func(c *Conn) error { return c.CloseWrite() },
	} {
		send, recv := skipTo(t, last)
		mem := &stuck{k: 1 << 20}
		c := &Conn{conn: mem}
		c.out.conn, c.out.keys = mem, send
		require.NoError(t, write(c))
		in := &reader{}
		in.init(&fixed{b: mem.sent}, recv, false)
		_, _, err := in.next(true)
		require.NoError(t, err)
		require.Equal(t, uint64(last+2), recv.Nonce())
	}

	// Missing: a data record where the rekey is due.
	send, recv = skipTo(t, last)
	rec, err := seal(send, recordData, append(make([]byte, HeadRoom, 100), "x"...))
	require.NoError(t, err)
	_, _, err = open(recv, rec[headerSize:])
	require.ErrorIs(t, err, ErrProtocol)
}

// A rekey that has arrived alone behind data must not make Read wait.
func TestReadDoesNotWaitBehindRekey(t *testing.T) {
	send, recv := skipTo(t, rekeyInterval-2)
	wire, err := seal(send, recordData, append(make([]byte, HeadRoom, 100), "x"...))
	require.NoError(t, err)
	rekey, err := seal(send, recordRekey, make([]byte, HeadRoom, 100))
	require.NoError(t, err)
	in := &reader{}
	in.init(&fixed{b: append(wire, rekey...), err: errors.New("must not be asked for more")}, recv, false)
	n, err := in.read(make([]byte, 10))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, in.err)
}

func TestVerdictEncoding(t *testing.T) {
	for _, b := range [][]byte{
		nil, {2}, {1}, {1, 0}, {1, 0, 0, 0xff}, append([]byte{1, 0, 0}, bytes.Repeat([]byte("x"), 256)...),
		append([]byte{0}, make([]byte, MaxWelcome+1)...),
	} {
		_, err := decodeVerdict(b)
		require.ErrorIs(t, err, ErrProtocol)
	}
	b, err := encodeRefusal(0x1234, "näin")
	require.NoError(t, err)
	require.Equal(t, "\x01\x12\x34näin", string(b))
	_, err = decodeVerdict(b)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, RefusedError{0x1234, "näin"}, *refused)
	for _, text := range []string{strings.Repeat("x", 256), "\xff"} {
		_, err = encodeRefusal(1, text)
		require.Error(t, err)
	}
	b, err = encodeWelcome(make([]byte, MaxWelcome))
	require.NoError(t, err)
	got, err := decodeVerdict(b)
	require.NoError(t, err)
	require.Len(t, got, MaxWelcome)
	_, err = encodeWelcome(make([]byte, MaxWelcome+1))
	require.Error(t, err)
}
