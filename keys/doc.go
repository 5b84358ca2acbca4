// Package keys holds the identities of PySock: X25519 keys, the YAML files they
// live in, the names that go with them, and the files that remember whom one has
// met before.
//
// An identity is made once and kept in a file that only its owner can read:
//
//	private, err := keys.GeneratePrivateKey()
//	f := &keys.File{Name: "alice", Private: private}
//	err = f.Create("alice.yaml", nil) // never overwrites
//
// and is loaded wherever a client or a server runs:
//
//	f, err := keys.Load("alice.yaml")
//	fmt.Println(f.Public.Fingerprint())
//
// # Keys
//
// A [PublicKey] is what a peer is: it is comparable, can be the key of a map, and
// prints as text with a prefix and a checksum (pysock1…), so that a mistyped key is
// an error and never another key. Two people compare a [PublicKey.Fingerprint]
// aloud, or the [SafetyNumber] of both their keys.
//
// A [PrivateKey] does not print, marshal or compare. The one way to its text is
// [PrivateKey.Secret]. Memory that held a private key is not promised to be wiped.
//
// # Files
//
// Reading is strict: an unknown field, a duplicate, an anchor, a second document, a
// key that does not match its checksum or its other half are each a [*FileError]
// with the line, what is wrong and what to do. A private key in a file that others
// can read is refused. The private key may be encrypted with age, to a passphrase
// or to age recipients; see [LoadOptions] and [WriteOptions].
//
// [Update] changes a file in place under a lock, keeps its comments, its order and
// its encrypted private key, and is never seen half done.
//
// # Trust on first use
//
// [KnownServers] and [KnownPeers] remember the key that an address or a name had
// when it was first met. A different key later is a [*ChangedKeyError], which says
// both fingerprints and how to accept the new one.
package keys
