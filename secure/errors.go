package secure

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pysock/pysock/keys"
)

// Errors of the handshake and of records. Use errors.Is.
var (
	// ErrNotPySock is returned when the other side speaks something else.
	ErrNotPySock = errors.New("secure: the other side does not speak PySock")
	// ErrHandshake is returned when a handshake message fails authentication:
	// altered on the way, made for another context, or by someone without the
	// key. Which of them cannot be known.
	ErrHandshake = errors.New("secure: handshake failed authentication")
	// ErrOwnKey is returned when the peer has the key that we have.
	ErrOwnKey = errors.New("secure: the peer uses our own key")
	// ErrTampered is returned when a record does not open: altered, replayed,
	// left out, out of order, or one of our own reflected.
	ErrTampered = errors.New("secure: record failed authentication")
	// ErrProtocol is returned when what arrived breaks the rules, be it
	// authentic or not: wrong sizes, an unknown type, a second verdict, no
	// rekey where one is due, anything after the end.
	ErrProtocol = errors.New("secure: protocol violation")
	// ErrWriteClosed is returned by writes after CloseWrite.
	ErrWriteClosed = errors.New("secure: write after CloseWrite")
	// ErrDecided is returned when a Pending was already answered or closed.
	ErrDecided = errors.New("secure: the handshake was already answered")

	// ErrTimeout is returned when Config.Timeout ran out. It is a net.Error
	// with Timeout() true and matches os.ErrDeadlineExceeded.
	ErrTimeout error = timeoutError{}
)

type timeoutError struct{}

func (timeoutError) Error() string        { return "secure: handshake timed out" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Temporary() bool      { return true }
func (timeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Version is a protocol version. Majors do not understand each other.
type Version struct {
	Major, Minor uint8 // as in the preamble
}

// String formats as "1.0".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// VersionError is returned when the two sides have no major version in common.
type VersionError struct {
	Local, Remote Version // ours, and what the other side sent
}

// Error says both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("secure: the other side speaks version %s, we speak %s", e.Remote, e.Local)
}

// PeerKeyError is returned by Initiate when VerifyPeer did not accept the key
// that the responder has proven. It unwraps to what VerifyPeer returned.
type PeerKeyError struct {
	Key keys.PublicKey // what the responder has proven
	Err error          // what VerifyPeer returned
}

// Error says which key, and why not.
func (e *PeerKeyError) Error() string {
	return fmt.Sprintf("secure: responder's key %s not accepted: %v", e.Key, e.Err)
}

// Unwrap returns Err.
func (e *PeerKeyError) Unwrap() error { return e.Err }

// RefusedError is returned by Initiate when the responder, whose key was
// accepted, turned us away. Text is the responder's and not to be trusted;
// quote it wherever it goes, as Error does.
type RefusedError struct {
	Code uint16 // docs/protocol.md, section 14
	Text string // at most MaxRefusal bytes of UTF-8
}

// Error gives the code and the quoted text.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("secure: refused with code %d: %q", e.Code, e.Text)
}

// TruncatedError is returned when the connection ended where it may not: in
// the handshake, in a record, or without the record that ends the stream.
// Someone on the way can cause it, so what came before may not be all there
// was. It unwraps to io.ErrUnexpectedEOF.
type TruncatedError struct {
	During string // "handshake", "record", or "stream"
}

// Error says where the connection ended.
func (e *TruncatedError) Error() string {
	return "secure: connection ended during the " + e.During + ", without an authenticated end"
}

// Unwrap returns io.ErrUnexpectedEOF.
func (e *TruncatedError) Unwrap() error { return io.ErrUnexpectedEOF }

// isDeadline reports an expired deadline, after which a conn goes on working.
// A net.Error's Timeout() would not do: ETIMEDOUT has it and is final.
func isDeadline(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// violation is an ErrProtocol that says which.
func violation(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
