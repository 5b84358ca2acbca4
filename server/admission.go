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
	folded map[string]struct{} // the names as foldName sees them, for strangers who want one that looks the same
}

func newAdmission(f *keys.File) (admission, error) {
	a := admission{open: f.Open, byKey: make(map[keys.PublicKey]string, len(f.Clients)), byName: make(map[string]keys.PublicKey, len(f.Clients)),
		folded: make(map[string]struct{}, len(f.Clients))}
	for name, key := range f.Clients {
		if err := keys.CheckClientName(name); err != nil {
			return admission{}, fmt.Errorf("server: client: %w", err)
		}
		if other, twice := a.byKey[key]; twice {
			return admission{}, fmt.Errorf("server: the clients %q and %q have the same key", name, other)
		}
		a.byKey[key], a.byName[name] = name, key
		a.folded[foldName(name)] = struct{}{}
	}
	return a, nil
}

// name is the name that a key enters under. It is empty if the key is not on the list, and the server open: then the name that it wants is
// to be claimed.
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
	if _, taken := a.folded[foldName(want)]; taken {
		return "", &channel.Error{Code: channel.CodeNameTaken}
	}
	return "", nil
}

// admits reports whether a session that entered under a name still may.
func (a *admission) admits(key keys.PublicKey, name string) bool {
	if listed, ok := a.byKey[key]; ok {
		return listed == name
	}
	_, taken := a.folded[foldName(name)]
	return a.open && !taken
}
