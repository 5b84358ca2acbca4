//go:build !unix

package main

// makePipe is of use on unix only; scripts that use it say so.
func makePipe() { panic("no named pipes here") }
