//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

// crowd is many clients in this process, each with a key of its own.
type crowd struct {
	files   []*keys.File
	clients []*client.Client
}

// newCrowd makes keys for clients, and a key file for the server that lets them in.
func newCrowd(n int, address, serverFile string) (*crowd, error) {
	key, err := keys.GeneratePrivateKey()
	if err != nil {
		return nil, err
	}
	server := &keys.File{Name: keys.ServerName, Private: key, Public: key.Public(),
		Clients: make(map[string]keys.PublicKey, n)}
	ref := &keys.ServerRef{Address: address, Key: server.Public}
	c := &crowd{files: make([]*keys.File, n), clients: make([]*client.Client, n)}
	for i := range n {
		own, err := keys.GeneratePrivateKey()
		if err != nil {
			return nil, err
		}
		f := &keys.File{Name: fmt.Sprintf("client-%d", i), Private: own, Public: own.Public(), Server: ref}
		server.Clients[f.Name] = f.Public
		c.files[i] = f
	}
	return c, server.Create(serverFile, nil)
}

// each calls do for every client at the same time, and tells the first of their errors and how many there are.
func (c *crowd) each(do func(i int) error) error {
	errs := make([]error, len(c.files))
	var all sync.WaitGroup
	for i := range c.files {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d clients failed, the first: %w", len(failed), len(c.files), failed[0])
}

// dial connects all, some at a time: how a crowd comes is measured later.
func (c *crowd) dial(ctx context.Context) error {
	turn := make(chan struct{}, 64)
	return c.each(func(i int) (err error) {
		turn <- struct{}{}
		defer func() { <-turn }()
		c.clients[i], err = client.Dial(ctx, "", &client.Config{Keys: c.files[i], Timeout: time.Minute})
		return err
	})
}

// back waits until all clients have the session of this number or a later one, and returns when each got it.
func (c *crowd) back(ctx context.Context, session int) ([]time.Time, error) {
	times := make([]time.Time, len(c.clients))
	err := c.each(func(i int) error {
		for s := range c.clients[i].States(ctx) {
			switch {
			case s.Phase == client.Offline:
				return fmt.Errorf("it has ended: %w", s.Err)
			case s.Phase == client.Online && s.Session >= session:
				times[i] = s.Since
				return nil
			}
		}
		return fmt.Errorf("it is not back: %v: %w", c.clients[i].State(), context.Cause(ctx))
	})
	return times, err
}

func (c *crowd) close() {
	var all sync.WaitGroup
	for _, one := range c.clients {
		if one != nil {
			all.Go(func() { one.Close() })
		}
	}
	all.Wait()
}
