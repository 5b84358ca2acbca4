package tty

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// childEnv makes a test of the test binary the process that asks on its terminal.
const childEnv = "PYSOCK_TEST_TTY"

// TestChild is run by the tests below in a session of its own. By itself it checks
// nothing more than that it is not meant.
func TestChild(t *testing.T) {
	switch os.Getenv(childEnv) {
	case "":
		return
	case "passphrase":
		p, err := ReadPassphrase("Pass?")
		fmt.Printf("answer %q %v\n", p, err)
	case "new":
		p, err := ReadNewPassphrase()
		fmt.Printf("answer %q %v\n", p, err)
	case "confirm":
		ok, err := Confirm("Sure\x1b?")
		fmt.Printf("answer %v %v\n", ok, err)
	case "none":
		_, err := Confirm("?")
		_, err2 := NewPassphrase("")
		_, err3 := Passphrase("")("key.yaml")
		fmt.Printf("answer %v|%v|%v\n", err, err2, err3)
	}
}

// ask runs the child with a terminal of its own, answers each prompt when it has
// been shown, and returns what the child printed and the whole of the terminal.
func ask(t *testing.T, what string, dialogue ...string) (answer, screen string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer master.Close()
	conn, err := master.SyscallConn()
	require.NoError(t, err)
	var number int
	require.NoError(t, conn.Control(func(fd uintptr) {
		err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		if err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}))
	require.NoError(t, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+what, "GORACE=atexit_sleep_ms=0")
	cmd.Stdin = slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: what != "none"}
	var out strings.Builder
	cmd.Stdout = &out
	require.NoError(t, cmd.Start())
	require.NoError(t, slave.Close())
	terminal := bufio.NewReader(master)
	for i := 0; i < len(dialogue); i += 2 {
		for !strings.HasSuffix(screen, dialogue[i]) {
			b, err := terminal.ReadByte()
			require.NoError(t, err, "the terminal shows %q", screen)
			screen += string(rune(b))
		}
		_, err := master.WriteString(dialogue[i+1])
		require.NoError(t, err)
	}
	cmd.Wait() // its status is part of what is returned
	for answer := range strings.Lines(out.String()) {
		if strings.HasPrefix(answer, "answer ") {
			return strings.TrimSpace(answer), screen
		}
	}
	return cmd.ProcessState.String(), screen
}

func TestTerminal(t *testing.T) {
	answer, _ := ask(t, "passphrase", "Pass?", "correct horse\n")
	assert.Equal(t, `answer "correct horse" <nil>`, answer)
	answer, _ = ask(t, "passphrase", "Pass?", "\n")
	assert.Contains(t, answer, "the passphrase is empty")
	answer, _ = ask(t, "new", "key: ", "a\n", "again: ", "a\n")
	assert.Equal(t, `answer "a" <nil>`, answer)
	answer, _ = ask(t, "new", "key: ", "a\n", "again: ", "b\n")
	assert.Contains(t, answer, "differ")
	answer, _ = ask(t, "new", "key: ", "a\n", "again: ", "\n")
	assert.Contains(t, answer, "empty")
	for reply, want := range map[string]string{"yes\n": "true", "YES \n": "true", "y\n": "false", "\n": "false", "no\n": "false",
		strings.Repeat("y", 100) + "\n": "false"} {
		answer, screen := ask(t, "confirm", "(yes/no) ", reply)
		assert.Equal(t, "answer "+want+" <nil>", answer)
		assert.NotContains(t, screen, "\x1b")
	}
	answer, _ = ask(t, "confirm", "(yes/no) ", "\x04")
	assert.Contains(t, answer, "answer false reading the answer")
	answer, _ = ask(t, "passphrase", "Pass?", "\x03")
	assert.Equal(t, "exit status 1", answer, "an interrupt ends the process")
	answer, _ = ask(t, "none")
	assert.Equal(t, "answer there is no terminal to ask on|there is no terminal to ask on for the passphrase; use --passphrase-file FILE|"+
		"there is no terminal to ask on for the passphrase; use --passphrase-file FILE", answer)
}
