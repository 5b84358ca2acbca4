package wire

// Type is the first byte of a frame and says what the frame is.
type Type uint8

// The types of frames, with what the id is and what the payload holds
// (docs/protocol.md, section 7).
const (
	TypeChannel        Type = 0x01 // channel; 8 bytes sequence, 1 byte kind, its name: AppendChannel
	TypeMessage        Type = 0x02 // channel; a message or a part of one: MessageStart, Cutter
	TypeSkip           Type = 0x03 // channel; 8 bytes amount: AppendSkip
	TypeAnnounce       Type = 0x04 // channel; 4 bytes cost: AppendAnnounce
	TypeCredit         Type = 0x05 // channel; 8 bytes taken, 8 bytes allowed: Credit
	TypeProbe          Type = 0x06 // channel; 8 bytes total: AppendProbe
	TypeRefuse         Type = 0x07 // channel; Reason
	TypeAnswer         Type = 0x08 // request; an answer or a part of one: AnswerStart, ErrorBody, Cutter
	TypeAnswerAnnounce Type = 0x09 // request; 4 bytes cost: AppendAnswerAnnounce
	TypeAnswerGrant    Type = 0x0a // request; empty
	TypeCancel         Type = 0x0b // request; empty
	TypeGap            Type = 0x0c // channel; 8 bytes count: AppendGap
	TypeOpen           Type = 0x10 // stream; its name, with FlagPipe PipeOpen: AppendOpenStream
	TypeAccept         Type = 0x11 // stream; empty
	TypeData           Type = 0x12 // stream; 1 to MaxPayload bytes: AppendData
	TypeEnd            Type = 0x13 // stream; empty
	TypeReset          Type = 0x14 // stream; Reason
	TypeStop           Type = 0x15 // stream; Reason
	TypeWindow         Type = 0x16 // stream; 8 bytes allowed total: AppendWindow
	TypeProgress       Type = 0x20 // 0; 8 bytes total: AppendProgress
	TypePing           Type = 0x21 // any; empty
	TypePong           Type = 0x22 // as PING's; empty
	TypeClose          Type = 0x23 // 0; Reason
)

// ids is what a type allows in the id field.
type ids uint8

const (
	idChannel ids = iota // 1 … MaxChannels
	idNonZero            // requests and streams
	idZero
	idAny
)

// rule is what a header alone must keep to. MESSAGE, ANSWER and OPEN have more
// to keep to, see Header.check.
type rule struct {
	name     string
	flags    Flags
	id       ids
	min, max int
}

const (
	messageFlags = FlagFirst | FlagLast | FlagRequest | encodingMask
	answerFlags  = FlagFirst | FlagLast | FlagError | encodingMask
)

// rules is indexed by type; entries without a name are not types.
var rules = [...]rule{
	TypeChannel:        {"CHANNEL", 0, idChannel, channelSize + 1, channelSize + MaxChannelName},
	TypeMessage:        {"MESSAGE", messageFlags, idChannel, 0, MaxPayload},
	TypeSkip:           {"SKIP", 0, idChannel, 8, 8},
	TypeAnnounce:       {"ANNOUNCE", 0, idChannel, 4, 4},
	TypeCredit:         {"CREDIT", 0, idChannel, 16, 16},
	TypeProbe:          {"PROBE", 0, idChannel, 8, 8},
	TypeRefuse:         {"REFUSE", 0, idChannel, 2, 2 + MaxText},
	TypeAnswer:         {"ANSWER", answerFlags, idNonZero, 0, MaxPayload},
	TypeAnswerAnnounce: {"ANSWER-ANNOUNCE", 0, idNonZero, 4, 4},
	TypeAnswerGrant:    {"ANSWER-GRANT", 0, idNonZero, 0, 0},
	TypeCancel:         {"CANCEL", 0, idNonZero, 0, 0},
	TypeGap:            {"GAP", 0, idChannel, 8, 8},
	TypeOpen:           {"OPEN", FlagPipe, idNonZero, 1, maxPipeOpen},
	TypeAccept:         {"ACCEPT", 0, idNonZero, 0, 0},
	TypeData:           {"DATA", 0, idNonZero, 1, MaxPayload},
	TypeEnd:            {"END", 0, idNonZero, 0, 0},
	TypeReset:          {"RESET", 0, idNonZero, 2, 2 + MaxText},
	TypeStop:           {"STOP", 0, idNonZero, 2, 2 + MaxText},
	TypeWindow:         {"WINDOW", 0, idNonZero, 8, 8},
	TypeProgress:       {"PROGRESS", 0, idZero, 8, 8},
	TypePing:           {"PING", 0, idAny, 0, 0},
	TypePong:           {"PONG", 0, idAny, 0, 0},
	TypeClose:          {"CLOSE", 0, idZero, 2, 2 + MaxText},
}

// String is the type's name as in docs/protocol.md, or "type 0x7f" for one that is unknown.
func (t Type) String() string {
	if t.known() {
		return rules[t].name
	}
	const digits = "0123456789abcdef"
	return "type 0x" + string([]byte{digits[t>>4], digits[t&0xf]})
}

func (t Type) known() bool { return int(t) < len(rules) && rules[t].name != "" }
