package wire

// Flags is the second byte of a frame. What a bit means depends on the type.
type Flags uint8

// The flags of MESSAGE, ANSWER and OPEN frames. All others have none.
const (
	FlagFirst   Flags = 0x01 // MESSAGE, ANSWER: the first frame
	FlagLast    Flags = 0x02 // MESSAGE, ANSWER: the last frame
	FlagRequest Flags = 0x04 // MESSAGE, on the first: it asks for an answer
	FlagError   Flags = 0x08 // ANSWER: the body is an ErrorBody
	FlagPipe    Flags = 0x01 // OPEN: the payload is a PipeOpen

	encodingMask Flags = 0x30
)

// encodingShift is where the encoding lies in the flags, in bits.
const encodingShift = 4

// Encodings of a body (docs/protocol.md, section 8): hints for the application.
const (
	EncodingRaw  uint8 = 0 // bytes
	EncodingText uint8 = 1 // UTF-8
	EncodingCBOR uint8 = 2 // one CBOR data item

	encodingInvalid uint8 = 3
)

// Has reports whether all bits of mask are set.
func (f Flags) Has(mask Flags) bool { return f&mask == mask }

// Encoding is the encoding mark of a MESSAGE or ANSWER frame, 0 to 3.
func (f Flags) Encoding() uint8 { return uint8(f&encodingMask) >> encodingShift }

// EncodingFlags is e, an encoding, at its place in the flags. Only the low two
// bits of e are used.
func EncodingFlags(e uint8) Flags { return Flags(e<<encodingShift) & encodingMask }
