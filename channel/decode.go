package channel

import (
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Decode decodes the body into what v points to, which should be a zero value:
// maps are added to. A [CBOR] body goes into any type that it fits, a [Text] body into a string and a [Raw] body into a []byte; it
// is then m.Body itself. An any, a []any, a map[string]any and a map[any]any get what [Message.Value] gives.
//
// Decode is strict. Text where a number is expected, a number that is too large, null where the type has none, two equal keys, a length that is not given ahead,
// bytes behind the value and text that is not UTF-8 are errors. Keys of a map that a struct has no field for are
// skipped, and fields without a key stay zero, so that the two ends may be upgraded one after another. Field names match in their exact case.
// An any within another type gets an int64 for a number that fits and a *big.Int for another, and a map[any]any for a map.
//
// A body has at most 1,048,576 items, 32 deep. Each costs at most what a zero element of v's slices and maps does, besides its bytes, so
// the types bound the memory; an any costs up to some 350 bytes.
//
// The error is an *Error with CodeBadMessage, whose text is for this end's log; what v points to may be
// half filled then.
func (m *Message) Decode(v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("channel: Decode wants a pointer to decode into, not %T", v)
	}
	switch v := v.(type) {
	case *any:
		x, err := m.Value()
		*v = x
		return err
	case *[]byte:
		if m.Encoding == Raw {
			*v = m.Body
			return nil
		}
	case *string:
		if m.Encoding == Text {
			s, err := m.text()
			*v = s
			return err
		}
	}
	if m.Encoding != CBOR {
		return badMessage(fmt.Sprintf("a body marked as %v where %v is expected", m.Encoding, p.Type().Elem()))
	}
	switch v := v.(type) {
	case *[]any:
		return decodeDynamic(m.Body, v)
	case *map[string]any:
		return decodeDynamic(m.Body, v)
	case *map[any]any:
		return decodeDynamic(m.Body, v)
	}
	return unmarshal(m.Body, v)
}

func (m *Message) text() (string, error) {
	if !utf8.Valid(m.Body) {
		return "", badMessage(errUTF8.Error())
	}
	return string(m.Body), nil
}
