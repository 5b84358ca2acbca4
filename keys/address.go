package keys

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"
)

// maxAddress is more than the longest host name (253), a port and a colon.
const maxAddress = 300

// NormalizeAddress returns the one form in which an address HOST:PORT is remembered:
// the host's letters lower case and without a final dot, the port without leading
// zeroes. Nothing is looked up.
func NormalizeAddress(address string) (string, error) {
	if err := checkAddress(address, true); err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(host), "."), strconv.FormatUint(n, 10)), nil
}

// checkNormalAddress refuses what [NormalizeAddress] would change.
func checkNormalAddress(address string) error {
	normal, err := NormalizeAddress(address)
	if err == nil && normal != address {
		err = fmt.Errorf("the address %s is not in its usual form; write it as %s", quote(address), quote(normal))
	}
	return err
}

// checkAddress refuses what is not HOST:PORT. Where one connects to, it needs a host
// and a port; where one listens, it may leave out the host and have port 0.
func checkAddress(address string, connect bool) error {
	example := ":7700"
	if connect {
		example = "hub.example:7700"
	}
	refuse := func(what string) error {
		return fmt.Errorf("the address %s %s; write it like %s", quote(address), what, example)
	}
	if len(address) > maxAddress {
		return refuse("is too long")
	}
	if strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return refuse("contains white space or something that does not print")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return refuse("is not HOST:PORT")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && connect {
		return refuse("has a port that is not a number from 1 to 65535")
	}
	if connect && strings.TrimSuffix(host, ".") == "" {
		return refuse("has no host")
	}
	return nil
}
