package cli

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"
)

// Wanter is a flag's value that says what it wants, for people: "a number from 1 on".
type Wanter interface {
	Wants() string // in words that follow "wants"
}

// Repeater is a flag's value that takes more than one. Others with a value that are given twice are
// refused: the person meant something that one of the two is not.
type Repeater interface {
	Repeats() // does nothing
}

// FlagName is how people write a flag.
func FlagName(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// ParseFlags is fs.Parse, but its errors name the flag as people write it and say what it wants. Help that is asked for
// is flag.ErrHelp.
func ParseFlags(fs *flag.FlagSet, args []string) error {
	var refused *refusal
	fs.VisitAll(func(f *flag.Flag) {
		w, ok := f.Value.(*watched)
		if !ok {
			w = &watched{Value: f.Value}
			f.Value = w
		}
		w.refused = func(value string, twice bool) { refused = &refusal{f.Name, w.Value, value, twice} }
	})
	err := fs.Parse(args)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return err
	case refused != nil:
		return refused
	case fs.NArg() > 0 && strings.HasPrefix(fs.Arg(0), "-") && !wellFormed(fs.Arg(0)):
		return fmt.Errorf("%q is not a flag", fs.Arg(0))
	}
	// Parse has taken the flag that it stopped at, and nothing behind it.
	name, _, _ := strings.Cut(strings.TrimLeft(args[len(args)-fs.NArg()-1], "-"), "=")
	if f := fs.Lookup(name); f != nil {
		return fmt.Errorf("%s wants %s", FlagName(name), wants(f.Value.(*watched).Value))
	}
	return fmt.Errorf("there is no flag %s", FlagName(name))
}

// wellFormed says whether package flag takes an argument for a flag.
func wellFormed(arg string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return name != "" && name[0] != '-' && name[0] != '='
}

// watched is a flag's value that tells when it refuses what it is given: the error that package
// flag makes of that is only text.
type watched struct {
	flag.Value
	given   bool
	refused func(value string, twice bool)
}

func (w *watched) Set(value string) error {
	if _, repeats := w.Value.(Repeater); w.given && !repeats && !w.IsBoolFlag() {
		w.refused(value, true)
		return errTwice
	}
	w.given = true
	err := w.Value.Set(value)
	if err != nil {
		w.refused(value, false)
	}
	return err
}

var errTwice = errors.New("it is given twice")

// IsBoolFlag says, for package flag, whether the flag stands without a value.
func (w *watched) IsBoolFlag() bool {
	b, ok := w.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// refusal says that a flag was given what it does not take.
type refusal struct {
	name  string
	of    flag.Value
	value string
	twice bool
}

func (r *refusal) Error() string {
	if r.twice {
		return FlagName(r.name) + " is given twice"
	}
	if r.value == "" {
		return FlagName(r.name) + " is given without a value"
	}
	return fmt.Sprintf("%s wants %s, and not %q", FlagName(r.name), wants(r.of), r.value)
}

func wants(v flag.Value) string {
	if w, ok := v.(Wanter); ok {
		return w.Wants()
	}
	if g, ok := v.(flag.Getter); ok {
		switch g.Get().(type) {
		case time.Duration:
			return "a duration, as in 10s"
		case bool:
			return "no value"
		}
	}
	return "a value"
}
