package channel

import (
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Decode decodes the body into what v points to, which should be a zero value: maps are added to. A
// [CBOR] body goes into any type that it fits, a [Text] body into a string and a [Raw] body into a
// []byte; it is then m.Body itself. An any, a []any, a map[string]any and a map[any]any get what
// [Message.Value] gives.
//
// Decode is strict. Text where a number is expected, a number that is too large, null where the
// type has none, two equal keys, a length that is not given ahead, bytes behind the value and text
// that is not UTF-8 are errors. Keys of a map that a struct has no field for are skipped, and
// fields without a key, or with null, stay zero, so that the two ends may be upgraded one after
// another. Field names match in their exact case. Of what is skipped nobody looks into the maps for
// equal keys; all else is refused there too. An any within another type gets an int64 for a number
// that fits and a *big.Int for another, and a map[any]any for a map.
//
// A body has at most 1,048,576 items, 32 deep, all checked before anything is allocated. Each costs
// at most what a zero element of v's slices and maps does, besides its bytes, so the types bound
// the memory; an any costs up to some 350 bytes.
//
// The error is a *[DecodeError]; what v points to may be half filled then.
func (m *Message) Decode(v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("channel: Decode wants a pointer to decode into, not %T", v)
	}
	if err := m.decode(v); err != nil {
		return m.undecoded(err)
	}
	return nil
}

// decode is Decode for what is known to be a pointer, and without the DecodeError.
func (m *Message) decode(v any) error {
	switch v := v.(type) {
	case *any:
		x, err := m.value()
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
		return badMessage(fmt.Sprintf("a body marked as %v where %v is expected", m.Encoding, reflect.TypeOf(v).Elem()))
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

// A DecodeError is a body that is not the value that it should be. A handler that returns it tells
// the sender of a request CodeBadMessage, and nothing about the types of this end: what is wrong is
// only in Err and in the text of Error.
type DecodeError struct {
	// Channel is the message's.
	Channel string

	// From is the authenticated sender, zero for a message that did not come from a connection.
	From Peer

	// Err is what is wrong with the body. What it quotes from outside is escaped.
	Err error
}

// undecoded makes the error of a message.
func (m *Message) undecoded(err error) error {
	e := &DecodeError{Channel: m.Channel, Err: err}
	if m.From != nil {
		e.From = *m.From
	}
	return e
}

// Error gives the channel and the sender, quoted, and what is wrong. It is for this end's log.
func (e *DecodeError) Error() string {
	if e.From.Name == "" {
		return fmt.Sprintf("on channel %q: %v", e.Channel, e.Err)
	}
	return fmt.Sprintf("on channel %q from %q: %v", e.Channel, e.From.Name, e.Err)
}

// Unwrap gives what the sender may be told, an *Error with CodeBadMessage, and not Err.
func (e *DecodeError) Unwrap() error {
	return &Error{Code: CodeBadMessage, Text: "not a value that is expected"}
}
