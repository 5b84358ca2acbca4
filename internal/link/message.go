package link

import "github.com/pysock/pysock/channel"

// CreditMemory is how many bytes of memory what waits takes at most for each byte of credit that it
// cost: the smallest messages, which cost 32 bytes and a few, take the most.
const CreditMemory = 6

// Small bodies lie beside their message, so that a message costs one allocation and not two. The
// receiver may keep either as long as it likes. The sizes are close enough to each other for
// CreditMemory.
type (
	message16 struct {
		m channel.Message
		b [16]byte
	}
	message64 struct {
		m channel.Message
		b [64]byte
	}
	message128 struct {
		m channel.Message
		b [128]byte
	}
	message256 struct {
		m channel.Message
		b [256]byte
	}
	message512 struct {
		m channel.Message
		b [512]byte
	}
	message1024 struct {
		m channel.Message
		b [1024]byte
	}
)

// newMessage makes a message and an empty body with room for n bytes. The room was granted: n is within the credit.
func newMessage(n int) (*channel.Message, []byte) {
	switch {
	case n == 0:
		return new(channel.Message), []byte{}
	case n <= 16:
		x := new(message16)
		return &x.m, x.b[:0:n]
	case n <= 64:
		x := new(message64)
		return &x.m, x.b[:0:n]
	case n <= 128:
		x := new(message128)
		return &x.m, x.b[:0:n]
	case n <= 256:
		x := new(message256)
		return &x.m, x.b[:0:n]
	case n <= 512:
		x := new(message512)
		return &x.m, x.b[:0:n]
	case n <= 1024:
		x := new(message1024)
		return &x.m, x.b[:0:n]
	}
	return new(channel.Message), make([]byte, 0, n)
}
