package wire

import "time"

// Sizes and limits of the protocol, in bytes unless it says otherwise
// (docs/protocol.md, section 15 and where noted).
const (
	// HeaderSize is the size of every frame's header (section 7).
	HeaderSize = 8
	// MaxPayload is the largest payload of a frame. Four such frames fit into one record
	// together with frames of control.
	MaxPayload = 16000
	// MaxFrame is the largest frame.
	MaxFrame = HeaderSize + MaxPayload
	// MaxHead is the most that goes before the body in a frame of a message:
	// the header, the total, the request id and the allowance (section 8).
	MaxHead = HeaderSize + 12
	// MaxText is the longest text of a reason (section 7).
	MaxText = 255
	// MaxRecord is the largest plaintext of a record (section 5).
	MaxRecord = 65519

	// MessageOverhead is what a message or answer costs besides its body (section 9).
	MessageOverhead = 32
	// InitialCredit is the credit of a channel or stream at the start, and the
	// least window of a channel ever after (sections 9 and 11).
	InitialCredit = 65536
	// MinMaxMessage is the least cost that an end may give as its largest (section 6).
	MinMaxMessage = 65536
	// MaxMaxMessage is the largest cost that any end may accept (section 6).
	MaxMaxMessage = 1 << 30
	// DefaultMaxMessage is the largest cost accepted by default: a body of 16 MiB.
	DefaultMaxMessage = 16<<20 + MessageOverhead
	// MaxBody is the longest body whose cost any end may accept.
	MaxBody = MaxMaxMessage - MessageOverhead
	// MinAllowance is the least answer allowance of a request, as a cost (section 10).
	MinAllowance = 65536
	// MaxAllowance is the largest answer allowance of a request (section 10).
	MaxAllowance = 1 << 30

	// MaxChannels is the number of channels that one direction of a link may
	// ever open, and so the highest channel number (section 8).
	MaxChannels = 1024
	// MaxGroupChannels is the number of them that are of kind group; the others
	// are MaxChannels less that (section 8).
	MaxGroupChannels = 64
	// MinChannels is the least number of channels that a receiver accepts.
	MinChannels = 64
	// MaxRequests is how many requests of one end may be outstanding (section 10).
	MaxRequests = 4096
	// MaxStreams is how many unfinished streams the other side may have opened
	// before one more is a protocol error.
	MaxStreams = 1024
	// MinStreams is the least number of open streams that a receiver accepts.
	MinStreams = 16

	// ProgressInterval is how much may be read after a PROGRESS before the next is due (section
	// 13), when what has arrived already has been acted on.
	ProgressInterval = 32768
	// MinUnderWay is what may always be under way without PROGRESS (section 13).
	MinUnderWay = 65536

	// MaxName is the longest name of a client or group (section 2).
	MaxName = 64
	// MaxChannelName is the longest name of a channel (section 2).
	MaxChannelName = 128
	// MaxStreamName is the longest name of a stream (section 2).
	MaxStreamName = 128
	// KeySize is the size of a public key (section 3).
	KeySize = 32
	// MaxHello is the most that a handshake carries as a hello (section 4.2).
	MaxHello = 4096
	// MaxWelcome is the largest welcome (section 6).
	MaxWelcome = 4096
	// MaxGroups is the number of groups that a hello may name (section 6).
	MaxGroups = 16
	// IDSize is the size of a session's id and of an instance (section 6).
	IDSize = 16
	// ProofSize is the size of a proof of a session's secret (section 17.2).
	ProofSize = 32
	// TokenSize is the size of a resume token (section 17.2).
	TokenSize = 1 + IDSize + 8 + 8 + ProofSize
	// MaxSequence is the highest number that CHANNEL gives (section 8.1): it leaves more room
	// than any link can use.
	MaxSequence = 1<<63 - 1
	// PipeIDSize is the size of a pipe's id (section 12).
	PipeIDSize = 16
)

// FeatureResume is the bit of hello's and welcome's features for sessions that outlive their
// connection (section 17).
const FeatureResume = 1

// Times that the protocol sets.
const (
	// HandshakeTimeout is what a responder gives the whole handshake (section 4.5).
	HandshakeTimeout = 10 * time.Second
	// CloseTimeout is how long an end that sent CLOSE goes on reading (section 13).
	CloseTimeout = 5 * time.Second
)
