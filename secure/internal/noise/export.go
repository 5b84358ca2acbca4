package noise

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// exporter extracts the secret that Export expands: HKDF-Extract with no salt
// over the final chaining key. The chaining key itself is not kept, because
// the first transport keys follow from it, and with them all records before
// the first rekey.
func exporter(ck [HashSize]byte) []byte {
	prk, err := hkdf.Extract(sha256.New, ck[:], nil)
	if err != nil {
		panic("noise: " + err.Error()) // only under FIPS-only mode with short keys
	}
	return prk
}

// Export derives n bytes that only the two sides of this handshake know:
// HKDF-SHA256 (RFC 5869) with the final chaining key as input keying material,
// no salt, and info = label followed by the handshake hash. Different labels
// give independent secrets. It fails for n over 8160.
func (r *Result) Export(label string, n int) ([]byte, error) {
	return hkdf.Expand(sha256.New, r.exporter, label+string(r.Hash[:]), n)
}
