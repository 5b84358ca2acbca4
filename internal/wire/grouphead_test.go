package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGroupHeadVectors(t *testing.T) {
	v := readVectors(t)
	for _, v := range v.GroupHeads {
		t.Run(v.Name, func(t *testing.T) {
			g, rest, err := ParseGroupHead(v.Bytes)
			require.NoError(t, err)
			require.Equal(t, GroupHead{v.Sender, [KeySize]byte(v.Key), v.Group}, g)
			require.Equal(t, []byte(v.Body), rest)
			require.Equal(t, len(v.Bytes)-len(v.Body), g.Size())
			require.Equal(t, []byte(v.Bytes), append(g.Append(nil), rest...))
			for n := range g.Size() {
				_, _, err := ParseGroupHead(v.Bytes[:n])
				requireError(t, err, CodeProtocol)
			}
		})
	}
	for _, v := range v.BadGroupHeads {
		t.Run(v.Name, func(t *testing.T) {
			_, _, err := ParseGroupHead(v.input())
			requireError(t, err, CodeProtocol)
		})
	}
}
