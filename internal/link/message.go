package link

import "github.com/pysock/pysock/channel"

// Small bodies lie beside their message, so that a message costs one
// allocation and not two. The receiver may keep either as long as it likes.
type (
	message64 struct {
		m channel.Message
		b [64]byte
	}
	message256 struct {
		m channel.Message
		b [256]byte
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
	case n <= 64:
		x := new(message64)
		return &x.m, x.b[:0:n]
	case n <= 256:
		x := new(message256)
		return &x.m, x.b[:0:n]
	case n <= 1024:
		x := new(message1024)
		return &x.m, x.b[:0:n]
	}
	return new(channel.Message), make([]byte, 0, n)
}
