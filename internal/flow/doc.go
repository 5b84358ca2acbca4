// Package flow keeps the books of flow control: what a sender may send, what
// a receiver has taken, what a session may hold, and how much may be under
// way. The rules are docs/protocol.md, sections 9, 11 and 13.
//
// The types hold no locks: each is guarded by the lock of the connection that
// owns it, except Pool, which connections share.
package flow
