// Package parity has the tests that hold this project to its ancestors, PySock and HiSock: one for
// everything that they could do, and one for everything that they got wrong. Each does what a user
// of theirs would, with a real server and real clients. docs/parity.md lists them.
package parity
