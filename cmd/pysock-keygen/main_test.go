package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/cmd/internal/cli"
)

func TestMain(m *testing.M) {
	workFactor = 2 // scrypt's real one takes a second each time
	testscript.Main(m, map[string]func(){
		"pysock-keygen": main,
		"makepipe":      makePipe,
		"repeat":        repeat,
	})
}

func TestScripts(t *testing.T) {
	keyFiles, err := filepath.Abs("../../testdata/keys")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("KEYS", keyFiles)
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else each command takes a second under -race
			return os.Chmod(e.WorkDir, 0o755)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
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

// repeat TEXT N FILE writes a text many times, for files that are too large to store.
func repeat() {
	var n int
	if _, err := fmt.Sscan(os.Args[2], &n); err != nil {
		panic(err)
	}
	if err := os.WriteFile(os.Args[3], []byte(strings.Repeat(os.Args[1], n)), 0o600); err != nil {
		panic(err)
	}
}

// TestBadKeyFiles gives the command each of the bad key files.
func TestBadKeyFiles(t *testing.T) {
	files, err := filepath.Glob("../../testdata/keys/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	pass := filepath.Join(t.TempDir(), "pass")
	require.NoError(t, os.WriteFile(pass, []byte("correct horse\n"), 0o600))
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		if strings.HasPrefix(name, "age-") {
			continue // -y prints what such a file says openly, without decrypting
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		want, err := os.ReadFile(strings.TrimSuffix(path, ".yaml") + ".error")
		require.NoError(t, err)
		folder := t.TempDir()
		require.NoError(t, os.Chmod(folder, 0o755))
		copied := filepath.Join(folder, "key.yaml")
		require.NoError(t, os.WriteFile(copied, data, 0o600))
		var stderr strings.Builder
		stdout, err := os.Create(filepath.Join(folder, "out"))
		require.NoError(t, err)
		assert.Equal(t, cli.ExitFailed, run([]string{"-y", copied, "--passphrase-file", pass}, stdout, &stderr), name)
		assert.Equal(t, "pysock-keygen: "+copied+string(want), stderr.String())
		out, err := os.ReadFile(stdout.Name())
		require.NoError(t, err)
		assert.Empty(t, out, name)
		require.NoError(t, stdout.Close())
	}
}

func TestOutputFails(t *testing.T) {
	closed, err := os.Create(filepath.Join(t.TempDir(), "x"))
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o755))
	path := filepath.Join(folder, "a.yaml")
	var stderr strings.Builder
	require.Equal(t, cli.ExitDone, run([]string{"--name", "a", "-o", path}, closed, &stderr))
	for _, args := range [][]string{{"--name", "a"}, {"-y", path}} {
		stderr.Reset()
		assert.Equal(t, cli.ExitFailed, run(args, closed, &stderr))
		assert.Contains(t, stderr.String(), "pysock-keygen: writing to standard output: ")
	}
}

func TestHelpFitsTheTerminal(t *testing.T) {
	for line := range strings.Lines(usage) {
		assert.LessOrEqual(t, utf8.RuneCountInString(line), 80+len("\n"), line)
	}
}
