package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/examples/internal/extest"
	"github.com/pysock/pysock/internal/testworld"
)

func TestMain(m *testing.M) {
	extest.RunAsExample(main)
	goleak.VerifyTestMain(m)
}

func TestPipe(t *testing.T) {
	dir := extest.Files(t, testworld.New(t, []string{"alice", "bob"}, nil).Files)

	bob := extest.Start(t, dir, "bob.yaml")
	assert.Equal(t, "connected as bob", bob.Line())
	alice := extest.Start(t, dir, "alice.yaml", "bob")

	number := alice.After("pipe with bob, safety number ")
	assert.Len(t, number, 12*5+11)
	assert.Equal(t, number, bob.After("pipe with alice, safety number "))
	assert.Equal(t, "alice says \"Hello, bob!\"\n", bob.Wait())
	assert.Equal(t, "bob says \"Hello, bob!\"\n", alice.Wait())
}
