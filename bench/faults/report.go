//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// report is the table of a scenario, and what was not as it should be.
type report struct {
	rows     []string
	problems []string
}

func (r *report) row(what, format string, args ...any) {
	r.rows = append(r.rows, "  "+what+"\t"+fmt.Sprintf(format, args...))
}

// expect notes a problem unless ok.
func (r *report) expect(ok bool, format string, args ...any) {
	if !ok {
		r.problems = append(r.problems, fmt.Sprintf(format, args...))
	}
}

// print reports whether there was no problem.
func (r *report) print(w io.Writer, name string) bool {
	fmt.Fprintln(w, name)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range r.rows {
		fmt.Fprintln(table, row)
	}
	table.Flush()
	if len(r.problems) > 0 {
		fmt.Fprintf(w, "FAIL %s: %s\n\n", name, strings.Join(r.problems, "; "))
		return false
	}
	fmt.Fprintf(w, "PASS %s\n\n", name)
	return true
}

// mib gives bytes for people.
func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
