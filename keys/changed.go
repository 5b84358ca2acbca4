package keys

import "fmt"

// ChangedKeyError says that a server or a peer has another key than it had when it
// was first met: either it has a new key, or somebody stands in for it. Nothing may
// be sent to it.
type ChangedKeyError struct {
	What    string    // "server" or "peer"
	Name    string    // its address or name; not safe to print
	Known   PublicKey // the key that is remembered
	Offered PublicKey // the key that it has now
	Path    string    // the file that remembers Known, or ""
	Line    int       // the line in that file, or 0
}

// Error returns one line with both fingerprints and how to accept the new key.
func (e *ChangedKeyError) Error() string {
	s := fmt.Sprintf("the key of the %s %s has changed from %s to %s: somebody may be standing in for it; ask its owner for the fingerprint, and only if it is the second one, ",
		e.What, quote(e.Name), e.Known.Fingerprint(), e.Offered.Fingerprint())
	switch {
	case e.Path == "":
		return s + "replace the key that is remembered with " + e.Offered.String()
	case e.Line == 0:
		return s + fmt.Sprintf("replace the key in %s with %s", displayPath(e.Path), e.Offered)
	}
	return s + fmt.Sprintf("replace the key in line %d of %s with %s", e.Line, displayPath(e.Path), e.Offered)
}
