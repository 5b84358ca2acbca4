package secure

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// A verdict's content:
//
//	0     0 welcome, 1 refused
//	1..   welcome: opaque, at most MaxWelcome bytes
//	1..2  refused: code, big-endian
//	3..   refused: text in UTF-8, at most MaxRefusal bytes
const (
	verdictWelcome = 0
	verdictRefused = 1
	refusalHeader  = 3
)

func encodeWelcome(welcome []byte) ([]byte, error) {
	if len(welcome) > MaxWelcome {
		return nil, fmt.Errorf("secure: a welcome of %d bytes, at most %d are allowed", len(welcome), MaxWelcome)
	}
	return append([]byte{verdictWelcome}, welcome...), nil
}

func encodeRefusal(code uint16, text string) ([]byte, error) {
	if len(text) > MaxRefusal || !utf8.ValidString(text) {
		return nil, fmt.Errorf("secure: a refusal's text must be UTF-8 of at most %d bytes: %.300q", MaxRefusal, text)
	}
	b := binary.BigEndian.AppendUint16([]byte{verdictRefused}, code)
	return append(b, text...), nil
}

// decodeVerdict returns the welcome, copied, or a *RefusedError.
func decodeVerdict(b []byte) (welcome []byte, err error) {
	switch {
	case len(b) == 0:
		return nil, violation("empty verdict")
	case b[0] == verdictWelcome && len(b)-1 <= MaxWelcome:
		return append([]byte{}, b[1:]...), nil
	case b[0] == verdictRefused && len(b) >= refusalHeader &&
		len(b)-refusalHeader <= MaxRefusal && utf8.Valid(b[refusalHeader:]):
		return nil, &RefusedError{
			Code: binary.BigEndian.Uint16(b[1:]),
			Text: string(b[refusalHeader:]),
		}
	}
	return nil, violation("malformed verdict of %d bytes", len(b))
}
