package extest

import (
	"strings"
	"testing"
)

// Player is somebody who runs an example of a game.
type Player struct {
	*Process
	Name string // that of the key file
}

// Players starts an example of a game twice in a folder with the key files of alice and bob, whom
// she challenges. The toss is fair, so either may come out as the first, who begins.
func Players(t testing.TB, dir string) (first, second Player) {
	t.Helper()
	bob := Player{Start(t, dir, "bob.yaml"), "bob"}
	bob.After("bob waits for somebody to play ")
	alice := Player{Start(t, dir, "alice.yaml", "bob"), "alice"}
	alice.After(`playing with "bob"`)
	bob.After(`playing with "alice"`)
	first, second = alice, bob
	toAlice, toBob := alice.Line(), bob.Line()
	if strings.HasPrefix(toBob, "You begin. ") {
		first, second, toAlice, toBob = bob, alice, toBob, toAlice
	}
	if !strings.HasPrefix(toAlice, "You begin. ") || !strings.HasPrefix(toBob, first.Name+" begins. ") {
		t.Fatalf("the first player is told %q, and the second %q", toAlice, toBob)
	}
	return first, second
}
