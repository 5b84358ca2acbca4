package channel

import (
	"fmt"
	"math/big"
	"time"
)

// Value decodes the body without knowing its type, for tools and for handlers that take anything:
//
//	CBOR                      Go
//	null, undefined           nil
//	false, true               bool
//	integer                   int64 or, if it is larger, uint64
//	float of any size         float64
//	text string               string
//	byte string               []byte
//	array                     []any
//	map, all keys text        map[string]any
//	map, other keys           map[any]any
//	time, tag 0 or 1          time.Time
//
// A [Text] body is a string, a [Raw] body is the []byte that m.Body is.
//
// The error is a *[DecodeError]. Besides what Decode refuses it refuses larger integers, other tags, maps with keys
// that are neither text, numbers, bools nor null, and times that are zero or not in the years 0 to 9999.
func (m *Message) Value() (any, error) {
	v, err := m.value()
	if err != nil {
		return nil, m.undecoded(err)
	}
	return v, nil
}

// value is Value without the DecodeError.
func (m *Message) value() (any, error) {
	switch m.Encoding {
	case Raw:
		return m.Body, nil
	case Text:
		s, err := m.text()
		if err != nil {
			return nil, err
		}
		return s, nil
	case CBOR:
		var v any
		if err := decodeValue(m.Body, &v); err != nil {
			return nil, err
		}
		v, err := plain(v)
		if err != nil {
			return nil, badMessage(err.Error())
		}
		return v, nil
	}
	return nil, badMessage(fmt.Sprintf("%v %d", m.Encoding, uint8(m.Encoding)))
}

// decodeDynamic decodes into a map or a slice whose elements are of no known type.
func decodeDynamic[T []any | map[string]any | map[any]any](body []byte, v *T) error {
	*v = nil
	if err := decodeValue(body, v); err != nil {
		return err
	}
	var err error
	switch v := any(v).(type) {
	case *[]any:
		err = plainArray(*v)
	case *map[string]any:
		err = plainMap(*v)
	case *map[any]any:
		*v, err = plainKeys(*v)
	}
	if err != nil {
		return badMessage(err.Error())
	}
	return nil
}

func decodeValue(body []byte, v any) error {
	if err := check(body); err != nil {
		return badMessage(err.Error())
	}
	if err := valueDecoder.Unmarshal(body, v); err != nil {
		return badMessage(err.Error())
	}
	return nil
}

// plain turns what the decoder made into the types that Value promises. Arrays are changed in place.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, []byte:
		return v, nil
	case uint64:
		return plainUint(v), nil
	case big.Int:
		switch {
		case v.IsInt64():
			return v.Int64(), nil
		case v.IsUint64():
			return v.Uint64(), nil
		}
		return nil, fmt.Errorf("an integer of %d bits", v.BitLen())
	case time.Time:
		if y := v.Year(); v.IsZero() || y < 0 || y > 9999 {
			return nil, fmt.Errorf("a time in the year %d", y)
		}
		return v, nil
	case []any:
		return v, plainArray(v)
	case map[any]any:
		return plainAnyMap(v)
	}
	return nil, fmt.Errorf("a value of an unknown kind: %T", v) // such as a tag that is not a time's
}

func plainUint(n uint64) any {
	if i := int64(n); i >= 0 {
		return i
	}
	return n
}

func plainArray(a []any) error {
	for i, v := range a {
		p, err := plain(v)
		if err != nil {
			return err
		}
		a[i] = p
	}
	return nil
}

func plainMap[K comparable](m map[K]any) error {
	for k, v := range m {
		p, err := plain(v)
		if err != nil {
			return err
		}
		m[k] = p
	}
	return nil
}

// plainAnyMap gives a map[string]any if all keys are text, and a map[any]any if not. An empty map is a map[string]any.
func plainAnyMap(m map[any]any) (any, error) {
	text := make(map[string]any, len(m))
	for k, v := range m {
		s, ok := k.(string)
		if !ok {
			return plainKeys(m)
		}
		p, err := plain(v)
		if err != nil {
			return nil, err
		}
		text[s] = p
	}
	return text, nil
}

func plainKeys(m map[any]any) (map[any]any, error) {
	if m == nil {
		return nil, nil
	}
	out := make(map[any]any, len(m))
	for k, v := range m {
		switch key := k.(type) {
		case nil, bool, int64, float64, string:
		case uint64:
			k = plainUint(key)
		default:
			return nil, fmt.Errorf("a map whose key is a %T", k)
		}
		p, err := plain(v)
		if err != nil {
			return nil, err
		}
		out[k] = p
	}
	return out, nil
}
