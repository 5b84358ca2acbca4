//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// peakMemory is VmHWM: the most that was ever resident of a process, in bytes.
func peakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has ended", pid)
}

// cpuTime is what a process has used of all processors, as a user and in the kernel.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil // USER_HZ is 100 wherever Go runs
}

// listenTrouble are the kernel's counts of connections that it has dropped because a queue of those
// to be accepted was full.
type listenTrouble struct{ overflows, drops int64 }

func readListenTrouble() (t listenTrouble, err error) {
	all, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		return t, err
	}
	counts := counters(string(all), "TcpExt:")
	return listenTrouble{counts["ListenOverflows"], counts["ListenDrops"]}, nil
}

// counters reads a table of two lines that begin with the same word: names, and values.
func counters(table, word string) map[string]int64 {
	var names []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != word {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		counts := make(map[string]int64, len(fields))
		for i, name := range names[1:min(len(names), len(fields))] {
			counts[name], _ = strconv.ParseInt(fields[i+1], 10, 64) // not a number: 0
		}
		return counts
	}
	return nil
}
