// Package tutorial has the test that does what docs/tutorial.md says: it writes the files, types the commands and
// what else is typed, and waits for what is printed.
package tutorial
