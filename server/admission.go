package server

import (
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// admission is who may enter, by the key file. It does not change; a reload makes a new one.
type admission struct {
	open   bool
	byKey  map[keys.PublicKey]string
	byName map[string]keys.PublicKey
	folded map[string]int // how many of the names are the same to foldName, for those who want one that looks like it
}

func newAdmission(f *keys.File) (admission, error) {
	a := admission{open: f.Open, byKey: make(map[keys.PublicKey]string, len(f.Clients)),
		byName: make(map[string]keys.PublicKey, len(f.Clients)),
		folded: make(map[string]int, len(f.Clients))}
	for name, key := range f.Clients {
		if err := keys.CheckClientName(name); err != nil {
			return admission{}, fmt.Errorf("server: client: %w", err)
		}
		if other, twice := a.byKey[key]; twice {
			return admission{}, fmt.Errorf("server: the clients %q and %q have the same key", name, other)
		}
		a.byKey[key], a.byName[name] = name, key
		a.folded[foldName(name)]++
	}
	return a, nil
}

// name is the name that a key enters under. It is empty if the key is not on the list, and the
// server open: then the name that it wants is to be claimed.
func (a *admission) name(key keys.PublicKey, want string) (string, error) {
	listed, ok := a.byKey[key]
	switch {
	case ok && want != "" && want != listed:
		return "", &channel.Error{Code: channel.CodeNameTaken, Text: fmt.Sprintf("this key's name here is %q", listed)}
	case ok:
		return listed, nil
	case !a.open:
		return "", &channel.Error{Code: channel.CodeUnknownKey, Text: "this key is not on the server's list"}
	case want == "":
		return "", &channel.Error{Code: channel.CodeBadName, Text: "this server wants a name"}
	}
	if a.folded[foldName(want)] > 0 {
		return "", &channel.Error{Code: channel.CodeNameTaken}
	}
	return "", nil
}

// admits reports whether a session that entered under a name still may.
func (a *admission) admits(key keys.PublicKey, name string) bool {
	if listed, ok := a.byKey[key]; ok {
		return listed == name
	}
	return a.open && a.folded[foldName(name)] == 0
}

// listedForOther reports whether another key than this is on the list under a name that looks like one with this fold.
func (a *admission) listedForOther(fold string, key keys.PublicKey) bool {
	n := a.folded[fold]
	if listed, ok := a.byKey[key]; ok && foldName(listed) == fold {
		n--
	}
	return n > 0
}
