package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/keys"
)

func TestMain(m *testing.M) {
	testscript.Main(leakTested{m}, map[string]func(){"pysock": main})
}

// leakTested runs the tests and then looks for goroutines that are left.
type leakTested struct{ m *testing.M }

func (l leakTested) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else each command takes a second under -race
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
			e.Setenv("HOME", e.WorkDir)
			e.Values[processesKey{}] = processes{}
			e.Values[cuttersKey{}] = map[string]*cutter{}
			return os.Chmod(e.WorkDir, 0o755)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "lines": lines, "newkey": newKey, "sealkey": sealKey, "sealto": sealTo, "publickey": publicKey, "write": write,
			"start": start, "await": await, "feed": feed, "eof": eof, "signal": signalTo, "finish": finish, "mute": mute,
			"proxy": proxy, "cut": cut, "flood": flood, "known": known,
		},
	})
}

// exits STATUS COMMAND... runs a command and compares its exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status is %s, want %s", got, args[0])
	}
}

// lines FILE N PREFIX writes the lines PREFIX1 to PREFIXN.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%d\n", args[2], i+1)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// write FILE TEXT writes a text that is given as the inside of a quoted Go string.
func write(ts *testscript.TestScript, _ bool, args []string) {
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(s), 0o600))
}

// newKey FILE NAME makes the key file of an identity that knows nobody.
func newKey(ts *testscript.TestScript, _ bool, args []string) {
	private, err := keys.GeneratePrivateKey()
	ts.Check(err)
	ts.Check((&keys.File{Name: args[1], Private: private}).Create(ts.MkAbs(args[0]), nil))
}

// sealKey FROM TO PASSPHRASE copies a key file and encrypts its private key.
func sealKey(ts *testscript.TestScript, _ bool, args []string) {
	f, err := keys.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(f.Create(ts.MkAbs(args[1]), &keys.WriteOptions{Passphrase: []byte(args[2]), WorkFactor: 2}))
}

// sealTo FROM TO IDENTITY copies a key file and encrypts its private key to a new age identity,
// which it writes to a file.
func sealTo(ts *testscript.TestScript, _ bool, args []string) {
	f, err := keys.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(id.String()+"\n"), 0o600))
	ts.Check(f.Create(ts.MkAbs(args[1]), &keys.WriteOptions{Recipients: []age.Recipient{id.Recipient()}}))
}

// publicKey FILE VARIABLE sets variables to the public key of a file and, with _FP behind the name, its fingerprint.
func publicKey(ts *testscript.TestScript, _ bool, args []string) {
	f, err := keys.LoadWith(ts.MkAbs(args[0]), &keys.LoadOptions{PublicOnly: true})
	ts.Check(err)
	ts.Setenv(args[1], f.Public.String())
	ts.Setenv(args[1]+"_FP", f.Public.Fingerprint())
}

func TestHelpFitsTheTerminal(t *testing.T) {
	texts := []string{usage()}
	for _, c := range commands {
		require.True(t, strings.HasPrefix(c.usage, "Usage: pysock "+c.name), c.name)
		texts = append(texts, c.usage)
	}
	for _, text := range texts {
		require.True(t, strings.HasSuffix(text, "\n"))
		for line := range strings.Lines(text) {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), 80+len("\n"), line)
		}
	}
}
