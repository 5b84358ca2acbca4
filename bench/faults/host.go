//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// host is a network namespace: a machine of its own as far as addresses and packets go. It has no
// name and is gone with its keeper, a process that only sleeps, so that none is ever left behind.
type host struct{ keeper *exec.Cmd }

// newHost makes a host with nothing but loopback.
func newHost(ctx context.Context) (*host, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("network namespaces need root")
	}
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: install iproute2 and util-linux", err)
		}
	}
	h := &host{exec.Command("sleep", "infinity")}
	h.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNET}
	if err := h.keeper.Start(); err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	if err := h.ip(ctx, "link set lo up"); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *host) close() {
	_ = h.keeper.Process.Kill() // it has ended, if this fails
	_ = h.keeper.Wait()         // says that it was killed
}

func (h *host) path() string { return fmt.Sprintf("/proc/%d/ns/net", h.keeper.Process.Pid) }

// enter is what a command begins with that is to run on the host; of no host nothing.
func (h *host) enter() []string {
	if h == nil {
		return nil
	}
	return []string{"nsenter", "--net=" + h.path()}
}

// ip runs an ip command on the host.
func (h *host) ip(ctx context.Context, args string) error {
	argv := append(append(h.enter(), "ip"), strings.Fields(args)...)
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out)
	}
	return nil
}

// wire lays a cable to another host, whose end has the name "wire" at both, and gives both their addresses.
func (h *host) wire(ctx context.Context, own string, other *host, others string) error {
	err := h.ip(ctx, "link add wire type veth peer name wire netns "+strconv.Itoa(other.keeper.Process.Pid))
	if err != nil {
		return err
	}
	for _, end := range []struct {
		*host
		address string
	}{{h, own}, {other, others}} {
		if err := end.ip(ctx, "addr add "+end.address+" dev wire"); err != nil {
			return err
		}
		if err := end.ip(ctx, "link set wire up"); err != nil {
			return err
		}
	}
	return nil
}

// listenRaw opens a socket that gets a copy of every TCP packet over IPv4 that reaches the host.
func (h *host) listenRaw() (*os.File, error) {
	// The thread goes there and comes back. It must not end: processes that were started on it would end with it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer here.Close()
	there, err := os.Open(h.path())
	if err != nil {
		return nil, err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(back) // all that runs on this thread would be in the wrong place
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "raw socket"), nil
}
