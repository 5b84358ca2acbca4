package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/examples/internal/extest"
)

func TestMain(m *testing.M) {
	extest.RunAsExample(main)
	goleak.VerifyTestMain(m)
}

func TestHisock(t *testing.T) {
	srv, dir := extest.Serve(t, []string{"alice", "bob"}, "serve", "server.yaml")
	alice := extest.Start(t, dir, "join", "alice.yaml")
	greeted(t, alice, "alice")
	bob := extest.Start(t, dir, "join", "bob.yaml")
	greeted(t, bob, "bob")
	assert.Equal(t, `The server says "bob has joined".`, alice.Line())

	alice.Type("(1+2)*3 - 1/4")
	assert.Equal(t, `"(1+2)*3 - 1/4" is 8.75.`, alice.Line())
	alice.Type("1/0")
	assert.Equal(t, `No result: "division by zero"`, alice.Line())
	alice.Type("__import__('os')")
	assert.Equal(t, `No result: "a number is missing before \"__import__('os')\""`, alice.Line())
	alice.Type("6*7") // and the server lives
	assert.Equal(t, `"6*7" is 42.`, alice.Line())

	bob.EndInput()
	bob.Wait()
	assert.Equal(t, `The server says "bob has left".`, alice.Line())
	alice.EndInput()
	alice.Wait()
	printed := srv.Until("alice has left")
	assert.Contains(t, printed, "alice has joined\nbob has joined\n")
	assert.Contains(t, printed, `alice asks for "1/0": division by zero`)
	assert.Contains(t, printed, "\nbob has left\n")
}

// greeted waits for what a client is told first. The two are of different channels, so either may
// come before the other.
func greeted(t *testing.T, p *extest.Process, name string) {
	t.Helper()
	said := p.Line() + "\n" + p.Line() + "\n"
	assert.Contains(t, said, "The server says \""+name+" has joined\".\n")
	assert.Contains(t, said, "The server says hello, just for me, ")
}
