package wire

import (
	"bytes"
	"testing"
)

// FuzzFrame takes any bytes for frames, one after the other, as a link does.
func FuzzFrame(f *testing.F) {
	v := readVectors(f)
	for _, s := range v.Frames {
		f.Add([]byte(s.Bytes))
	}
	for _, s := range v.BadFrames {
		f.Add(s.input())
	}
	for _, s := range v.Cuts {
		c := s.cutter(f, testBody(s.Body))
		f.Add(c.appendAll(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			n, err := Complete(b)
			if err != nil {
				requireError(t, err, CodeProtocol)
				return
			}
			if n == 0 {
				return
			}
			if requireIdentical(t, b[:n]) == nil {
				return
			}
			b = b[n:]
		}
	})
}

// FuzzChannel takes any bytes for a payload, also such as no header allows.
func FuzzChannel(f *testing.F) {
	v := readVectors(f)
	for _, s := range v.Frames {
		if s.Type == "CHANNEL" {
			f.Add([]byte(s.Bytes[HeaderSize:]))
		}
	}
	for _, s := range v.BadFrames {
		if len(s.Bytes) > HeaderSize && s.Bytes[0] == byte(TypeChannel) {
			f.Add(s.input()[HeaderSize:])
		}
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		sequence, kind, name, err := ParseChannel(b)
		if err != nil {
			requireError(t, err, CodeProtocol)
			return
		}
		if got := AppendChannel(nil, 1, sequence, kind, name); !bytes.Equal(b, got[HeaderSize:]) {
			t.Fatalf("%d, %d and %q are encoded in another way: %x", sequence, kind, name, got)
		}
	})
}

// FuzzGroupHead takes any bytes for a body.
func FuzzGroupHead(f *testing.F) {
	v := readVectors(f)
	for _, s := range v.GroupHeads {
		f.Add([]byte(s.Bytes))
	}
	for _, s := range v.BadGroupHeads {
		f.Add(s.input())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, rest, err := ParseGroupHead(b)
		if err != nil {
			requireError(t, err, CodeProtocol)
			return
		}
		got := g.Append(nil)
		if len(got) != g.Size() || len(got) > 1+MaxName+KeySize+1+MaxName {
			t.Fatalf("%+v has size %d, encoded %d", g, g.Size(), len(got))
		}
		if got = append(got, rest...); !bytes.Equal(b, got) {
			t.Fatalf("%+v is encoded in another way: %x", g, got)
		}
	})
}

// FuzzPipeOpen takes any bytes for a payload, also such as no header allows.
func FuzzPipeOpen(f *testing.F) {
	v := readVectors(f)
	for _, name := range []string{"open-pipe", "open-pipe-shortest", "open-pipe-longest", "open"} {
		f.Add(v.frame(f, name)[HeaderSize:])
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePipeOpen(b)
		if err != nil {
			requireError(t, err, CodeProtocol)
			return
		}
		if got := p.Append(nil, 1); !bytes.Equal(b, got[HeaderSize:]) {
			t.Fatalf("%+v is encoded in another way: %x", p, got)
		}
	})
}
