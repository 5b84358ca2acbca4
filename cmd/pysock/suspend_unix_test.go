//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// suspend sends STOP, and waits until the process has stopped, or CONT or USR1.
func suspend(p *os.Process, signal string) error {
	switch signal {
	case "CONT":
		return p.Signal(syscall.SIGCONT)
	case "USR1":
		return p.Signal(syscall.SIGUSR1)
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.Pid, &status, syscall.WUNTRACED, nil); err != nil {
		return err
	}
	if !status.Stopped() {
		return fmt.Errorf("the process did not stop: %v", status)
	}
	return nil
}
