package channel

import "net"

// PeerOf says who is at the other end of a stream: of one that OpenStream returned, or that a
// listener of this module has accepted. It reports false for any other net.Conn.
func PeerOf(stream net.Conn) (Peer, bool) {
	s, ok := stream.(interface{ Peer() Peer })
	if !ok {
		return Peer{}, false
	}
	return s.Peer(), true
}
