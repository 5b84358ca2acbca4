package stranger

import (
	"bytes"
	"crypto/ecdh"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/keys"
)

const maxMessage = 2<<20 + messageCost

// An ident is a key in the forms that both implementations want.
type ident struct {
	key  *ecdh.PrivateKey
	file *keys.File
}

func (i ident) public() []byte { return i.key.PublicKey().Bytes() }

// identity makes the key of 32 bytes n.
func identity(n byte) ident {
	raw := bytes.Repeat([]byte{n}, 32)
	private, err := keys.NewPrivateKey(raw)
	if err != nil {
		panic(err)
	}
	key, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		panic(err)
	}
	return ident{key: key, file: &keys.File{Version: 1, Name: "x", Private: private, Public: private.Public()}}
}

// pattern is a body that shows misplaced parts.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// theirHandlers echo, answer and take, as ourHandlers do.
func theirHandlers() map[string]func(*Message) {
	return map[string]func(*Message){
		"echo": func(m *Message) { _ = m.link.Send(m.Channel, m.Encoding, m.Body) },
		"ask":  func(m *Message) { _ = m.Answer(m.Encoding, m.Body) },
		"fail": func(m *Message) { m.AnswerError(300, "no luck") },
		"wait": func(m *Message) {
			if m.WaitCancel() == nil {
				m.AnswerError(codeCanceled, "")
			}
		},
		"take": func(*Message) {},
	}
}

func readAll(t *testing.T, r io.Reader) string {
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}

// plain is the connection of a link without the feature resume.
func plain(l *Link) *secureConn { return l.below.(*secureConn) }
