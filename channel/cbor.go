package channel

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/fxamacker/cbor/v2"
)

// Limits of a CBOR body. They are the same for what is sent and for what is
// taken, so that the sender of a value that nobody would take hears of it at once.
const (
	maxNesting = 32      // arrays, maps and tags in one another
	maxItems   = 1 << 20 // numbers, strings, arrays, maps and tags, all in all
)

var (
	encoder = encodeMode()

	// typedDecoder decodes into the types of the program. An any among them gets int64 wherever that is enough.
	typedDecoder = decodeMode(cbor.IntDecConvertSignedOrBigInt)

	// valueDecoder decodes what no type is known for. It keeps all of uint64, also in the keys of maps,
	// where a *big.Int would be refused; plain makes int64 of what fits.
	valueDecoder = decodeMode(cbor.IntDecConvertNone)
)

// encodeMode is RFC 8949's core deterministic encoding: equal values are equal bytes. Floats shrink
// only if no bit is lost, so a NaN does not, which also leaves it its payload. Times are RFC 3339
// text with tag 0, as an epoch in a float (tag 1) would lose their nanoseconds.
func encodeMode() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.NaNConvert = cbor.NaNConvertNone
	o.Time = cbor.TimeRFC3339Nano
	o.TimeTag = cbor.EncTagRequired
	o.TextMarshaler = cbor.TextMarshalerTextString
	m, err := o.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}

// decodeMode is strict where two readings of the same bytes could differ, and lenient about fields
// that a struct does not have: programs are upgraded one end at a time.
func decodeMode(ints cbor.IntDecMode) cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		IndefLength:       cbor.IndefLengthForbidden,
		IntDec:            ints,
		MaxNestedLevels:   maxNesting,
		MaxArrayElements:  maxItems,
		MaxMapPairs:       maxItems,
		TextUnmarshaler:   cbor.TextUnmarshalerTextString,
		TimeTag:           cbor.DecTagOptional,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}

// Marshal gives v as the CBOR body that typed channels send, in the core deterministic encoding of RFC 8949: equal
// values give equal bytes. It is for those who send a Message with the mark [CBOR] themselves.
//
// Struct fields are named by a cbor tag, else by a json tag, else as in Go. A float64 keeps every
// bit, those of a NaN too. Times keep their nanoseconds and their offset from UTC; the zero time is
// null. A type's MarshalCBOR, MarshalBinary or MarshalText is used if it has one. The error is an
// *Error with CodeBadMessage: v holds a function or a channel, text that is not UTF-8, a NaN as the
// key of a map, a time outside the years 0 to 9999, more than 32 arrays and maps in one another, or
// more than 1,048,576 items. v must not contain itself.
func Marshal(v any) ([]byte, error) {
	body, err := encoder.Marshal(v)
	if err == nil {
		err = check(body)
	}
	if err != nil {
		return nil, badMessage(fmt.Sprintf("cannot encode %T: %v", v, err))
	}
	return body, nil
}

// unmarshal decodes one data item into what v points to.
func unmarshal(body []byte, v any) error {
	if err := check(body); err != nil {
		return badMessage(err.Error())
	}
	if isNull(body) && !hasNull(v) {
		return badMessage(fmt.Sprintf("null where %v is expected", reflect.TypeOf(v).Elem()))
	}
	if err := typedDecoder.Unmarshal(body, v); err != nil {
		return badMessage(err.Error())
	}
	return nil
}

func isNull(body []byte) bool { return len(body) == 1 && (body[0] == 0xf6 || body[0] == 0xf7) }

// hasNull tells whether null can be a value of what v points to. The decoder would leave a number,
// a string or a struct as it is.
func hasNull(v any) bool {
	switch v.(type) {
	case cbor.Unmarshaler, *time.Time: // null is the zero time
		return true
	}
	switch reflect.TypeOf(v).Elem().Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	return false
}

// badMessage makes the error of a body. Its text may hold pieces of a message, so what cannot be printed is escaped.
func badMessage(text string) *Error {
	const longest = 240
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		text = fmt.Sprintf("%q", text)
	}
	return &Error{Code: CodeBadMessage, Text: text}
}
