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

func TestBulk(t *testing.T) {
	_, dir := extest.Serve(t, []string{"alice", "bob"}, "serve", "server.yaml")
	assert.Equal(t, "receiving as bob", extest.Start(t, dir, "receive", "bob.yaml").Line())

	const lines = `^sending as alice
30 messages of 500 kB taken in \d+\.\d s: \d+\.\d a second, \d+\.\d MB/s
late by at most: half of them \S+s, 99 % \S+s, all \S+s
memory: here \d+ MB, server \d+ MB`
	toServer := extest.Start(t, dir, "send", "--seconds", "0.25", "--rate", "120", "alice.yaml").Wait()
	assert.Regexp(t, lines+"\n$", toServer)
	toBob := extest.Start(t, dir, "send", "--seconds", "0.25", "--rate", "120", "--to", "bob", "alice.yaml").Wait()
	assert.Regexp(t, lines+", bob \\d+ MB\n$", toBob)
	assert.Contains(t, extest.Start(t, dir, "send", "--rate", "0", "alice.yaml").Fails(), "a rate of 0: give 1 to 10000")
}
