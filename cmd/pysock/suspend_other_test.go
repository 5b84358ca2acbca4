//go:build !unix

package main

import (
	"errors"
	"os"
)

func suspend(*os.Process, string) error { return errors.New("processes cannot be stopped here") }
