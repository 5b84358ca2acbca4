package stranger

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"io"
	"sync"
	"time"
)

// A Client is a session with a server.
type Client struct {
	*Link
	Name      string // that the server bound to the key
	key       *ecdh.PrivateKey
	serverKey []byte
	hello     Hello

	pipes    chan *Stream
	splice   *splice    // nil without the feature resume
	resuming sync.Mutex // one token at a time
}

// Dial says hello over conn, which it closes if that fails. OnPipe of cfg is
// not used: pipes wait for AcceptPipe.
func Dial(conn io.ReadWriteCloser, key *ecdh.PrivateKey, serverKey []byte, hello Hello,
	cfg LinkConfig) (*Client, error) {
	hello.MaxMessage = cfg.MaxMessage
	if cfg.History != nil {
		hello.Instance = cfg.History.Instance
	}
	sec, welcome, err := sayHello(conn, key, serverKey, &hello, nil)
	if err != nil {
		return nil, err
	}
	return newClient(sec, welcome, key, hello, cfg), nil
}

// sayHello gives the connection and the welcome, or closes conn. If token is not
// nil the hello gets what it makes for the handshake.
func sayHello(conn io.ReadWriteCloser, key *ecdh.PrivateKey, serverKey []byte, hello *Hello,
	token func(h2 [32]byte) *Token) (*secureConn, *Welcome, error) {
	sec, content, err := initiate(conn, handshakeKeys{static: key}, nil, serverKey, func(h2 [32]byte) []byte {
		if token != nil {
			hello.Token = token(h2)
		}
		return hello.encode()
	})
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	welcome, err := decodeWelcome(content)
	if err != nil || checkName(welcome.Bound) != nil || !welcome.fits(hello) {
		conn.Close()
		return nil, nil, protocolError("bad welcome")
	}
	return sec, welcome, nil
}

// newClient begins a session.
func newClient(sec *secureConn, welcome *Welcome, key *ecdh.PrivateKey, hello Hello, cfg LinkConfig) *Client {
	c := &Client{Name: welcome.Bound, key: key, serverKey: sec.peer, hello: hello, pipes: make(chan *Stream, 64)}
	cfg.OnPipe = c.onPipe
	if welcome.Features&featureResume == 0 {
		c.Link = newLink(sec.limited(cfg.Records), true, welcome.MaxMessage, welcome.Record, cfg)
		return c
	}
	c.splice = newSplice(false, welcome.Session, time.Duration(welcome.Grace)*time.Second, cfg.Records)
	c.splice.begin(sec)
	c.Link = newLink(c.splice, true, welcome.MaxMessage, welcome.Record, cfg)
	return c
}

func (c *Client) onPipe(s *Stream) {
	if s.Pipe.Target != c.Name {
		s.Reset(codeProtocol)
		return
	}
	select {
	case c.pipes <- s:
	default:
		s.Reset(codeBusy)
	}
}

// OpenPipe opens a pipe to a name whose key must be peerKey.
func (c *Client) OpenPipe(target string, peerKey []byte, cfg LinkConfig) (*Link, error) {
	pipe := &PipeContext{Opener: c.Name, Target: target}
	_, _ = rand.Read(pipe.ID[:])
	c.Link.mu.Lock()
	s, err := c.open(&frame{kind: frameOpen, flags: flagPipe, pipe: pipe})
	c.Link.mu.Unlock()
	if err != nil {
		return nil, err
	}
	hello := Hello{MaxMessage: cfg.MaxMessage}
	if cfg.History != nil {
		hello.Instance = cfg.History.Instance
	}
	sec, content, err := initiate(s, handshakeKeys{static: c.key}, pipe, peerKey, func([32]byte) []byte {
		return hello.encode()
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	welcome, err := decodeWelcome(content)
	if err != nil || welcome.Bound != "" || !welcome.fits(&hello) {
		s.Close()
		return nil, protocolError("bad welcome")
	}
	cfg.inPipe = true
	return newLink(sec.limited(cfg.Records), true, welcome.MaxMessage, welcome.Record, cfg), nil
}

// AcceptPipe waits for a pipe and answers it. Openers are accepted whose name
// and key are in peers. It returns the opener's name.
func (c *Client) AcceptPipe(peers map[string][]byte, cfg LinkConfig) (*Link, string, error) {
	var s *Stream
	select {
	case s = <-c.pipes:
	case <-c.Done():
		return nil, "", c.Err()
	}
	s.link.mu.Lock()
	s.accept()
	s.link.mu.Unlock()
	var peerMax uint32
	welcome := Welcome{MaxMessage: cfg.MaxMessage}
	sec, err := respond(s, handshakeKeys{static: c.key}, s.Pipe, func(peer, hello []byte, _ hashes) []byte {
		h, bad := decodeHello(hello)
		switch {
		case bad != nil:
			return refusal(bad)
		case h.Wanted != "" || len(h.Groups) > 0:
			return refusal(protocolError("a name or groups in a pipe"))
		case h.Transient || h.Features&featureResume != 0:
			return refusal(protocolError("transient or resume in a pipe"))
		case !bytes.Equal(peers[s.Pipe.Opener], peer):
			return refusal(&Error{Code: codeUnknownKey, Text: "unknown key"})
		}
		peerMax = h.MaxMessage
		if cfg.History = cfg.Library.find(peer, h.Instance); cfg.History != nil {
			welcome.Record = cfg.History.Record()
		}
		return append([]byte{0}, welcome.encode()...)
	})
	if err != nil {
		s.Close()
		return nil, s.Pipe.Opener, err
	}
	cfg.inPipe = true
	return newLink(sec.limited(cfg.Records), false, peerMax, welcome.Record, cfg), s.Pipe.Opener, nil
}
