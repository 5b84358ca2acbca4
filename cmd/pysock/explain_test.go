package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

func TestDialErrorOfSeveralAddresses(t *testing.T) {
	f := &keys.File{Name: "alice"}
	two := []string{"hub:7700", "hub2:7700"}
	resolve := fmt.Errorf("connecting to the server: %w", &net.OpError{Op: "dial", Err: &net.DNSError{Name: "hub"}})
	busy := &channel.Error{Code: channel.CodeBusy, Remote: true}
	none := func(first, second error) error {
		return &client.DialError{Attempts: []client.DialAttempt{{Address: two[0], Err: first}, {Address: two[1], Err: second}}}
	}
	for reasons, err := range map[string]error{
		`the name "hub" does not resolve; nothing answers at "hub2:7700"`: none(resolve, errRefusedDial),
		`nothing answers at "hub:7700"; "hub2:7700" refuses: busy`:        fmt.Errorf("x: %w", none(errRefusedDial, busy)),
		`what answers at "hub:7700" is not a PySock server: check the address; "hub2:7700" does not answer`: none(
			secure.ErrNotPySock, fmt.Errorf("x: %w", secure.ErrTimeout)),
	} {
		want := "none of the server's addresses will do: " + reasons + "; start it there, or give its address with --server"
		assert.EqualError(t, dialError(t.Context(), two, f, err), want)
	}
	// The server's word, for which no other address is tried.
	unknown := fmt.Errorf("refused: %w", &channel.Error{Code: channel.CodeUnknownKey, Remote: true})
	assert.EqualError(t, dialError(t.Context(), two, f, unknown), "the server does not know this key: "+letIn(f))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	assert.EqualError(t, dialError(over, two, f, none(errRefusedDial, errRefusedDial)),
		`connecting to the server at "hub2:7700": interrupted`)
}

func TestAccountOfLines(t *testing.T) {
	count := &tally{}
	count.sent.Store(2)
	for taken, want := range map[int64]string{
		0: "gone (0 of 2 lines are known to have been taken; with --again the rest would be sent again)",
		2: "gone (2 of 2 lines are known to have been taken)",
	} {
		count.taken.Store(taken)
		assert.EqualError(t, new(exchange).account(errors.New("gone"), count, true), want)
	}
	count.taken.Store(1)
	assert.EqualError(t, new(exchange).account(errors.New("refused"), count, false), "refused (1 of 2 lines are known to have been taken)")
	assert.EqualError(t, (&exchange{again: true}).account(errors.New("gone"), count, true),
		"gone (1 of 2 lines are known to have been taken)")
}
