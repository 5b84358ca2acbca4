package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// The demo's page: its width, and that of the left column and of a line of bytes in the right one.
const (
	showWidth = 80
	showLeft  = 31
	showBytes = 12
	showLines = 9 // of bytes at most
)

// show writes the demo's page. The first error of writing stays.
type show struct {
	out    io.Writer
	colour bool
	err    error
}

// newShow uses colours on a terminal that has them, unless the person does not want any (no-color.org).
func newShow(out *os.File) *show {
	return &show{out: out, colour: wantsColour(term.IsTerminal(int(out.Fd())), os.Getenv)}
}

func wantsColour(terminal bool, env func(string) string) bool {
	return terminal && env("NO_COLOR") == "" && env("TERM") != "dumb"
}

func (s *show) print(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.out, text)
	}
}

func (s *show) style(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// title begins a part.
func (s *show) title(format string, args ...any) {
	s.print(s.style("1", strings.Join(wrap(fmt.Sprintf(format, args...), showWidth), "\n")) + "\n\n")
}

// text is a paragraph.
func (s *show) text(format string, args ...any) {
	s.print(strings.Join(wrap(fmt.Sprintf(format, args...), showWidth), "\n") + "\n\n")
}

// space is an empty line.
func (s *show) space() { s.print("\n") }

// beside puts what was said beside what the server handled of it.
func (s *show) beside(left []string, handled []byte) {
	right := dump(handled)
	for i := range max(len(left), len(right)) {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = s.style("36", right[i])
		}
		s.print(strings.TrimRight("  "+pad(l, showLeft-2)+r, " ") + "\n")
	}
	s.print("\n")
}

// row is a line of the table of the search.
func (s *show) row(what, wire, server string) {
	s.print(strings.TrimRight("  "+pad(what, showLeft-2)+pad(wire, 17)+server, " ") + "\n")
}

// dump gives bytes in hexadecimal and as text, as many as there is room for.
func dump(b []byte) []string {
	var lines []string
	for len(b) > 0 {
		if len(lines) == showLines-1 && len(b) > showBytes {
			return append(lines, fmt.Sprintf("and %d bytes more", len(b)))
		}
		part := b[:min(showBytes, len(b))]
		b = b[len(part):]
		text := []byte(strings.Repeat(".", len(part)))
		for i, c := range part {
			if ' ' < c && c <= '~' {
				text[i] = c
			}
		}
		lines = append(lines, pad(fmt.Sprintf("% x", part), 3*showBytes+1)+string(text))
	}
	return lines
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(1, width-utf8.RuneCountInString(s)))
}

// wrap breaks text at spaces into lines of a width at most.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
