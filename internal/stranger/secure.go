package stranger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"time"
	"unicode/utf8"
)

// PipeContext is what the prologue and the OPEN frame of a pipe say.
type PipeContext struct {
	ID             [16]byte // random, the opener's choice
	Opener, Target string   // names
}

const preambleSize = 8

var preamble = []byte("PYSOCK\x01\x00")

// ErrVersion: the peer speaks another major version.
var ErrVersion = errors.New("stranger: the peer speaks another major version")

// ErrWrongKey: the responder is not who it should be.
var ErrWrongKey = errors.New("stranger: the responder's key is not the expected one")

// prologue is section 4.3.
func prologue(preamble []byte, pipe *PipeContext) []byte {
	items := [][]byte{preamble, []byte(suite), []byte("hop")}
	if pipe != nil {
		items[2] = []byte("pipe")
		items = append(items, pipe.ID[:], []byte(pipe.Opener), []byte(pipe.Target))
	}
	var out []byte
	for _, item := range items {
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(item))), item...)
	}
	return out
}

// hashes are the two of a handshake that things may be bound to (section 4.4).
type hashes struct{ h2, h [32]byte }

// initiate shakes hands and returns the content of the welcome. The responder
// must have the key expect. The hello may be bound to h2.
func initiate(conn io.ReadWriteCloser, keys handshakeKeys, pipe *PipeContext, expect []byte,
	hello func(h2 [32]byte) []byte) (*secureConn, []byte, error) {
	h := newHandshake(suite, true, keys, prologue(preamble, pipe))
	m1, err := h.write(nil)
	if err != nil {
		return nil, nil, err
	}
	if _, err := conn.Write(append(bytes.Clone(preamble), framed(m1)...)); err != nil {
		return nil, nil, err
	}
	m2, err := readFramed(conn, 1200, 1200)
	if err != nil {
		return nil, nil, err
	}
	if payload, err := h.read(m2); err != nil || len(payload) > 0 {
		return nil, nil, errors.Join(errors.New("stranger: bad message 2"), err)
	}
	if !bytes.Equal(h.peerStatic.Bytes(), expect) {
		return nil, nil, ErrWrongKey
	}
	m3, err := h.write(hello(h.h))
	if err != nil {
		return nil, nil, err
	}
	if _, err := conn.Write(framed(m3)); err != nil {
		return nil, nil, err
	}
	s := newSecureConn(conn, h)
	kind, verdict, err := s.readRecord()
	if err != nil {
		return nil, nil, err
	}
	if kind != recordVerdict || len(verdict) == 0 || verdict[0] > 1 {
		return nil, nil, protocolError("no verdict")
	}
	if verdict[0] == 0 {
		return s, verdict[1:], nil
	}
	if len(verdict) < 3 || len(verdict) > 3+255 || !utf8.Valid(verdict[3:]) {
		return nil, nil, protocolError("bad refusal")
	}
	return nil, nil, &Error{Code: int(verdict[1])<<8 | int(verdict[2]), Text: string(verdict[3:]), Remote: true}
}

// respond shakes hands; judge says what the verdict is. After a refusal it
// sends the end itself; the caller closes.
func respond(conn io.ReadWriteCloser, keys handshakeKeys, pipe *PipeContext,
	judge func(peer, hello []byte, of hashes) []byte) (*secureConn, error) {
	timer := time.AfterFunc(10*time.Second, func() { conn.Close() })
	defer timer.Stop()
	var theirs [preambleSize]byte
	if _, err := io.ReadFull(conn, theirs[:]); err != nil {
		return nil, err
	}
	if string(theirs[:6]) != "PYSOCK" {
		return nil, errors.New("stranger: not a PySock client")
	}
	if theirs[6] != preamble[6] {
		_, err := conn.Write(preamble)
		return nil, errors.Join(ErrVersion, err)
	}
	h := newHandshake(suite, false, keys, prologue(theirs[:], pipe))
	m1, err := readFramed(conn, 1216, 1216)
	if err != nil {
		return nil, err
	}
	if _, err := h.read(m1); err != nil {
		return nil, err
	}
	m2, err := h.write(nil)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(framed(m2)); err != nil {
		return nil, err
	}
	m3, err := readFramed(conn, 64, 64+4096)
	if err != nil {
		return nil, err
	}
	of := hashes{h2: h.h}
	hello, err := h.read(m3)
	if err != nil {
		return nil, err
	}
	s := newSecureConn(conn, h)
	of.h = h.h
	verdict := judge(h.peerStatic.Bytes(), hello, of)
	if err := s.writeRecord(recordVerdict, verdict); err != nil {
		return nil, err
	}
	if verdict[0] == 0 {
		return s, nil
	}
	refused := &Error{Code: int(verdict[1])<<8 | int(verdict[2]), Text: string(verdict[3:])}
	return nil, errors.Join(refused, s.writeRecord(recordEnd, nil))
}

func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

func readFramed(r io.Reader, least, most int) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if string(head[:]) == "PY" {
		return nil, ErrVersion
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n < least || n > most {
		return nil, errors.New("stranger: a handshake message of a wrong length")
	}
	message := make([]byte, n)
	_, err := io.ReadFull(r, message)
	return message, err
}
