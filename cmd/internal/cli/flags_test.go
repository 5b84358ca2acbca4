package cli

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is a flag that takes few values.
type small string

func (s *small) String() string { return string(*s) }
func (s *small) Wants() string  { return "something small" }
func (s *small) Set(v string) error {
	if v == "" || len(v) > 3 {
		return errors.New("too large")
	}
	*s = small(v)
	return nil
}

// many is a flag that may be repeated.
type many []string

func (m *many) String() string     { return "" }
func (m *many) Set(v string) error { *m = append(*m, v); return nil }
func (m *many) Repeats()           {}

func parse(args ...string) error {
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Duration("timeout", 0, "")
	fs.Bool("json", false, "")
	fs.String("o", "", "")
	fs.Var(new(small), "size", "")
	fs.Var(new(many), "many", "")
	if err := ParseFlags(fs, []string{"--json", "argument"}); err != nil {
		return err
	}
	return ParseFlags(fs, args) // a second time, as commands do that have flags behind arguments
}

func TestParseFlags(t *testing.T) {
	require.NoError(t, parse("--timeout", "10s", "-json", "--o=x", "--size=abc", "more", "---x"))
	require.ErrorIs(t, parse("-h"), flag.ErrHelp)
	for args, want := range map[string]string{
		"--colour red":      "there is no flag --colour",
		"-colour=red":       "there is no flag --colour",
		"-o x -c":           "there is no flag -c",
		"---x":              `"---x" is not a flag`,
		"--json --=":        `"--=" is not a flag`,
		"--timeout":         "--timeout wants a duration, as in 10s",
		"--timeout soon":    `--timeout wants a duration, as in 10s, and not "soon"`,
		"--timeout=so\x1bn": `--timeout wants a duration, as in 10s, and not "so\x1bn"`,
		"--timeout -x":      `--timeout wants a duration, as in 10s, and not "-x"`,
		"-o":                "-o wants a value",
		"--json=maybe":      `--json wants no value, and not "maybe"`,
		"--size":            "--size wants something small",
		"--size large more": `--size wants something small, and not "large"`,
		"--size=":           "--size is given without a value",
		"-o x -o y":         "-o is given twice",
		"--many x --many y": "",
		"--json --json":     "",
	} {
		err := parse(strings.Fields(args)...)
		if want == "" {
			assert.NoError(t, err, args)
			continue
		}
		assert.EqualError(t, err, want, args)
	}
}
