package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// describe tells the operator who the server is, where it is reached, who may enter, and what it may cost.
func describe(w io.Writer, f *keys.File, at net.Addr, srv *server.Server) {
	limits := srv.Limits
	fmt.Fprintf(w, "public key:  %s\nfingerprint: %s\n", f.Public, f.Public.Fingerprint())
	fmt.Fprintf(w, "reached at:  %s\n", strings.Join(reachable(at, machineAddresses), ", "))
	sessions := limits.MaxSessions
	switch {
	case f.Open:
		fmt.Fprintf(w, "clients:     %d, and anybody with a name that is free (open: true)\n", len(f.Clients))
	case len(f.Clients) == 0:
		fmt.Fprintln(w, "clients:     none yet; let one in, and then send SIGHUP:\n             pysock trust add --keys FILE NAME KEY")
	default:
		fmt.Fprintf(w, "clients:     %d\n", len(f.Clients))
	}
	if srv.Grace < 0 {
		fmt.Fprintln(w, "grace:       none; who loses the connection loses the session")
	} else {
		fmt.Fprintf(w, "grace:       %s, for who has lost the connection to go on\n", span(srv.Grace))
	}
	if !f.Open {
		// Each client has one session and its transient ones, so this is the most there can be until a reload.
		most := max(1, len(f.Clients)) * (1 + transientSessions)
		if sessions == 0 || sessions > most {
			sessions = min(most, defaultSessions)
		}
	}
	if sessions == 0 {
		sessions = defaultSessions
	}
	limits.MaxSessions = sessions
	fmt.Fprintf(w, "memory:      at most %s, if all %d sessions abuse every limit at\n             once; idle ones take 16 KiB each\n",
		byteSize(limits.Memory()), sessions)
	if limits.PipeWindow != 0 {
		fmt.Fprintf(w, "lowered:     messages of at most %s; of a pipe or stream %s on the way\n",
			amount(limits.MaxMessage).short(), amount(limits.PipeWindow).short())
	}
}

// The defaults of server.Limits.
const (
	defaultSessions   = 10_000
	transientSessions = 16
)

// reachable lists the addresses that a listener can be reached at: its own or, if that is every one
// of this machine's, those. Who comes from elsewhere finds the last ones, of loopback, at home.
func reachable(at net.Addr, machine func() []netip.Addr) []string {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return []string{at.String()}
	}
	var near, far []string
	for _, ip := range machine() {
		address := netip.AddrPortFrom(ip, uint16(tcp.Port)).String()
		switch {
		case ip.IsLoopback():
			near = append(near, address)
		case ip.IsGlobalUnicast(): // those of a link mean nothing without its name
			far = append(far, address)
		}
	}
	if all := append(far, near...); len(all) > 0 {
		return all
	}
	return []string{at.String()}
}

// machineAddresses are those of the interfaces that are up, each once.
func machineAddresses() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil // it is only for people
	}
	var all []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && !slices.Contains(all, prefix.Addr()) {
				all = append(all, prefix.Addr())
			}
		}
	}
	return all
}

// span gives a time without the units that are zero: 2m, not 2m0s.
func span(d time.Duration) string {
	s := d.String()
	if long, ok := strings.CutSuffix(s, "m0s"); ok {
		s = long + "m"
	}
	if long, ok := strings.CutSuffix(s, "h0m"); ok {
		s = long + "h"
	}
	return s
}

// logStats writes what the server has to tell an operator as one line of its log.
func logStats(srv *server.Server) {
	s := srv.Stats()
	srv.Logger.Info("pysock: stats",
		"sessions", s.Sessions, "away", s.Away, "ending", s.Ending, "handshakes", s.Handshakes, "pipes", s.Pipes,
		"sessions_begun", s.SessionsBegun, "resumed", s.Resumed, "resumes_refused", s.ResumesRefused,
		"sessions_refused", s.SessionsRefused,
		"handshakes_failed", s.HandshakesFailed, "handshakes_crowded", s.HandshakesCrowded,
		"pipes_begun", s.PipesBegun, "pipes_refused", s.PipesRefused, "too_slow", s.TooSlow)
}

// byteSize gives a number of bytes with a unit.
func byteSize(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", (n+1<<30-1)>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
	}
	return fmt.Sprintf("%d KiB", (n+1<<10-1)>>10)
}
