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

// room serves two rooms, and has alice and bob in the lobby.
func room(t *testing.T) (srv, alice, bob *extest.Process, dir string) {
	t.Helper()
	srv, dir = extest.Serve(t, []string{"alice", "bob", "carol"}, "serve", "server.yaml", "lobby", "garden")
	alice = extest.Start(t, dir, "join", "alice.yaml", "lobby")
	assert.Equal(t, "you are in lobby", alice.Line())
	alice.Type("is there anybody?")
	assert.Equal(t, "no: nobody else is here, but it is kept for who comes", alice.Line())
	bob = extest.Start(t, dir, "join", "bob.yaml", "lobby")
	assert.Equal(t, "you are in lobby", bob.Line())
	assert.Equal(t, `[lobby] earlier, alice: "is there anybody?"`, bob.Line())
	assert.Equal(t, "[lobby] alice is here", bob.Line())
	assert.Equal(t, "[lobby] bob is here", alice.Line())
	return srv, alice, bob, dir
}

// TestTalk is about what is said: in the room, before somebody came, and to one alone.
func TestTalk(t *testing.T) {
	_, alice, bob, dir := room(t)
	bob.Type("hello \x1b[2J")
	assert.Equal(t, `[lobby] bob: "hello \x1b[2J"`, alice.Line())
	alice.Type("welcome")
	assert.Equal(t, `[lobby] alice: "welcome"`, bob.Line())

	carol := extest.Start(t, dir, "join", "carol.yaml", "garden")
	assert.Equal(t, "you are in garden", carol.Line())
	carol.Type("/join lobby")
	carol.Until("you are in lobby")
	assert.Contains(t, carol.Until(`[lobby] earlier, alice: "welcome"`), `[lobby] earlier, bob: "hello \x1b[2J"`+"\n")
	assert.Equal(t, "[lobby] carol is here", alice.Line())
	assert.Equal(t, "[lobby] carol is here", bob.Line())
	alice.Type("/msg bob for you alone")
	assert.Equal(t, `alice, to you alone: "for you alone"`, bob.Line())
	bob.Type("/msg alice thanks")
	assert.Equal(t, `bob, to you alone: "thanks"`, alice.Line())
	bob.Type("to all again")
	assert.Equal(t, `[lobby] bob: "to all again"`, alice.Line())
	assert.NotContains(t, carol.Until("to all again"), "alone") // she has not heard the two
	alice.Type("/msg dave hello")
	assert.Contains(t, alice.Line(), "no: ")
}

// TestCome is about who is there.
func TestCome(t *testing.T) {
	srv, alice, bob, _ := room(t)
	bob.Type("/nick robert")
	assert.Equal(t, "you are robert", bob.Line())
	assert.Equal(t, "[lobby] bob is now called robert", alice.Line())
	bob.Type("/nick alice")
	assert.Contains(t, bob.Line(), "no: ")
	bob.Type("/join garden")
	assert.Equal(t, "you are in garden", bob.Line())
	bob.Type("/join cellar")
	assert.Equal(t, `no: refused: "there is no such room, but lobby, garden"`, bob.Line())
	assert.Contains(t, srv.Until("robert enters garden"), "bob is now robert\n")

	bob.Type("/leave")
	assert.Equal(t, "you are in lobby", bob.Line())
	bob.Type("/leave")
	assert.Equal(t, "you are in no room", bob.Line())
	assert.Equal(t, "[lobby] robert has left", alice.Line())
	bob.Type("hello?")
	assert.Equal(t, "no: you are in no room: /join one", bob.Line())
	bob.Type("/join lobby")
	assert.Equal(t, "[lobby] robert is here", alice.Line())
	alice.Type("/who")
	assert.Equal(t, "alice is here, in lobby", alice.Line())
	assert.Equal(t, "robert is here, in lobby", alice.Line())

	bob.EndInput()
	bob.Wait()
	assert.Equal(t, "[lobby] robert has left", alice.Line())
	srv.Until("robert is not connected any more: ")
	alice.Type("/help")
	alice.Until("/msg NAME TEXT")
}
