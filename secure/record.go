package secure

import (
	"encoding/binary"
	"sync"

	"github.com/pysock/pysock/secure/internal/noise"
)

// A record on the wire:
//
//	0..1       L, big-endian, 17 … 65535
//	2..L+1     sealed: type (1 byte) and content (L-17 bytes), tag (16 bytes)
//
// Nonces count from 0 in each direction and are not sent; there is no
// associated data.
type recordType uint8

const (
	recordData    recordType = 0 // content: 1 … MaxContent bytes of the stream
	recordEnd     recordType = 1 // content: none; nothing follows
	recordVerdict recordType = 2 // content: see verdict.go; the responder's first, and only that
	recordRekey   recordType = 3 // content: none; the next record has the next key
)

const (
	headerSize  = 2
	typeSize    = 1
	minSealed   = typeSize + noise.TagSize
	maxSealed   = 65535
	maxRecord   = headerSize + maxSealed
	rekeyRecord = headerSize + minSealed

	// MaxContent is how much one record carries, in bytes: what a Write of at
	// most this size makes is one record and one write below.
	MaxContent = maxSealed - minSealed

	// rekeyInterval records are sealed under one key; the last of them is the
	// rekey record.
	rekeyInterval = 1 << 16
)

// rekeyDue reports whether the next record under k must be a rekey.
func rekeyDue(k *noise.CipherState) bool { return (k.Nonce()+1)%rekeyInterval == 0 }

// seal makes a record of b, in place: b has headerSize+typeSize bytes of room,
// then the content, and capacity for the tag.
func seal(k *noise.CipherState, t recordType, b []byte) ([]byte, error) {
	return sealTo(b, k, t, b)
}

// sealTo is seal with the record at the start of dst, which is b or does not
// overlap it. Of b it changes the room only.
func sealTo(dst []byte, k *noise.CipherState, t recordType, b []byte) ([]byte, error) {
	b[headerSize] = byte(t)
	sealed, err := k.Seal(dst[headerSize:headerSize], nil, b[headerSize:])
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(dst, uint16(len(sealed)))
	if t == recordRekey {
		k.Rekey()
	}
	return dst[:headerSize+len(sealed)], nil
}

// open opens a sealed record in place and checks that its type may come here
// with such a content.
func open(k *noise.CipherState, sealed []byte) (recordType, []byte, error) {
	due := rekeyDue(k)
	plain, err := k.Open(sealed[:0], nil, sealed)
	switch {
	case err == noise.ErrDecrypt:
		return 0, nil, ErrTampered
	case err != nil:
		return 0, nil, err
	}
	t, content := recordType(plain[0]), plain[typeSize:]
	switch {
	case due != (t == recordRekey):
		return 0, nil, violation("record %d is of type %d, which is wrong for the rekey schedule", k.Nonce()-1, t)
	case t > recordRekey:
		return 0, nil, violation("unknown record type %d", t)
	case (t == recordData || t == recordVerdict) == (len(content) == 0):
		return 0, nil, violation("record of type %d with %d bytes of content", t, len(content))
	}
	if t == recordRekey {
		k.Rekey()
	}
	return t, content, nil
}

// buffer holds one whole record, or a rekey and a record, and some of what
// follows. 72 KiB is a size that Go's allocator has.
type buffer [72 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func getBuffer() *buffer  { return buffers.Get().(*buffer) }
func putBuffer(b *buffer) { buffers.Put(b) }
