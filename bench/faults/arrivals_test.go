//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestArrivals has the comparison see everything that can be wrong, and nothing else.
func TestArrivals(t *testing.T) {
	for _, c := range []struct {
		name     string
		came     []int // numbers; those from 100 on are lines that were never fed
		again    int   // the number that the last three lines begin anew with, if any
		complete bool
		problem  string // "" for none
	}{
		{name: "all", came: []int{1, 2, 3, 4, 5, 6}, complete: true},
		{name: "the first", came: []int{1, 2, 3}},
		{name: "the first are not all", came: []int{1, 2, 3}, complete: true, problem: "3 lines are lost"},
		{name: "one lost", came: []int{1, 2, 4, 5, 6}, complete: true, problem: "1 lines are lost"},
		{name: "left out", came: []int{1, 2, 4}, problem: "1 lines are left out"},
		{name: "twice at once", came: []int{1, 2, 2, 3, 4, 5, 6}, complete: true, problem: "1 lines came twice"},
		{name: "twice later", came: []int{1, 2, 3, 4, 5, 6, 1}, complete: true, problem: "1 lines came twice"},
		{name: "order", came: []int{1, 3, 2, 4, 5, 6}, complete: true, problem: "1 lines came out of order"},
		{name: "altered", came: []int{1, 2, 3, 100, 4, 5, 6}, complete: true, problem: `1 lines were never fed, the first is "alice x 100`},
		{name: "sent again", came: []int{1, 2, 3, 4, 4, 5, 6}, again: 4, complete: true},
		{name: "more than was sent again", came: []int{1, 2, 3, 4, 3, 4, 5, 6}, again: 4, complete: true, problem: "1 lines came twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &feed{first: 1, last: 6, size: 50}
			a := newArrivals(f)
			for i, n := range c.came {
				if c.again > 0 && i == len(c.came)-3 {
					a.expectFrom(c.again)
				}
				a.line([]byte(fromAlice + f.text(n)))
			}
			r := &report{}
			a.judge(r, c.complete)
			got := strings.Join(r.problems, "; ")
			if got != c.problem && (c.problem == "" || !strings.HasPrefix(got, c.problem)) {
				t.Errorf("problems: %s, want %s", got, c.problem)
			}
		})
	}
}

// TestText checks that a line is as long as it should be, and that it differs from others after its number too.
func TestText(t *testing.T) {
	f := &feed{size: 60}
	for n := range 200 {
		if got := f.text(n); len(got) != f.size {
			t.Fatalf("%q has %d bytes", got, len(got))
		}
		if strings.TrimPrefix(f.text(n), fmt.Sprint(n)) == strings.TrimPrefix(f.text(n+1), fmt.Sprint(n+1)) {
			t.Fatalf("lines %d and %d are the same but for their numbers", n, n+1)
		}
	}
}

func TestCounters(t *testing.T) {
	got := counters("X: a b\nX: 1 2\nTcpExt: ListenOverflows ListenDrops\nTcpExt: 3 -4\n", "TcpExt:")
	if got["ListenOverflows"] != 3 || got["ListenDrops"] != -4 || len(got) != 2 {
		t.Errorf("%v", got)
	}
}
