package main

import (
	"net/http"
	"net/http/httptest"
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

func TestHTTP(t *testing.T) {
	dir := extest.Files(t, testworld.New(t, []string{"alice", "bob"}, nil).Files)

	bob := extest.Start(t, dir, "bob.yaml")
	assert.Equal(t, "serving as bob", bob.Line())
	for range 2 {
		assert.Equal(t, "Hello, alice!\n", extest.Start(t, dir, "alice.yaml", "http://bob/").Wait())
	}
}

func TestPeersOnly(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "server/http"
	answer := httptest.NewRecorder()
	hello(answer, r)
	assert.Equal(t, http.StatusForbidden, answer.Code)
}
