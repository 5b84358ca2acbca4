package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// WorkFactor is the binary logarithm of the scrypt work factor that passphrases are
// written with, and the largest that is read: 2¹⁸ takes about a second and 256 MiB.
// It is also what age writes. A file that asks for more would tie up the machine
// before anybody knows whether the passphrase is right.
const WorkFactor = 18

var errArmor = errors.New("private_key: the encrypted key is damaged; restore the file from a copy")

// sealPrivate returns the private key's text encrypted to a passphrase or recipients,
// armored.
func sealPrivate(k *PrivateKey, opts *WriteOptions) (string, error) {
	recipients, err := opts.recipients()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, recipients...)
	if err != nil {
		return "", fmt.Errorf("encrypting the private key: %w", err)
	}
	_, err = io.WriteString(w, k.Secret()+"\n")
	if err := errors.Join(err, w.Close(), armored.Close()); err != nil {
		return "", fmt.Errorf("encrypting the private key: %w", err)
	}
	return out.String(), nil
}

// decryptPrivate opens what [sealPrivate] made.
func decryptPrivate(path, text string, opts *LoadOptions) (*PrivateKey, error) {
	if strings.TrimSuffix(text, "\n") != strings.TrimSpace(text) ||
		!strings.HasSuffix(strings.TrimSpace(text), armor.Footer) {
		return nil, errArmor // age forgives white space around its armor, we have no use for it
	}
	// The passphrase goes last: nobody is asked for one that is not needed.
	var ids []age.Identity
	for _, id := range opts.Identities {
		switch id.(type) {
		case *age.X25519Identity, *age.HybridIdentity:
			ids = append(ids, id)
		default:
			return nil, fmt.Errorf("age identities of type %T are not supported, only X25519 and hybrid ones", id)
		}
	}
	pass := &passphraseIdentity{path: path, ask: opts.Passphrase}
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(text)), append(ids, pass)...)
	var noMatch *age.NoIdentityMatchError
	switch {
	case pass.err != nil:
		return nil, pass.err
	case errors.As(err, &noMatch) && len(ids) > 0:
		return nil, fmt.Errorf("%w, and to none of the age identities given; give the one that it is encrypted to",
			ErrEncrypted)
	case errors.As(err, &noMatch):
		return nil, fmt.Errorf("%w to age recipients; give the age identity of one", ErrEncrypted)
	case err != nil:
		return nil, errArmor // not what age says: it quotes lines of the file
	}
	const enough = 256 // the text form has 73 bytes
	plain, err := io.ReadAll(io.LimitReader(r, enough))
	if err != nil || len(plain) == enough {
		return nil, errArmor
	}
	defer clear(plain)
	k, err := ParsePrivateKey(strings.TrimSuffix(string(plain), "\n"))
	if err != nil {
		return nil, fmt.Errorf("private_key: decrypted, but what was encrypted is wrong: %w", err)
	}
	return k, nil
}

// passphraseIdentity asks for the passphrase when it turns out to be needed. Its own
// error is kept beside what age makes of it.
type passphraseIdentity struct {
	path string
	ask  func(path string) ([]byte, error)
	err  error
}

// Unwrap implements [age.Identity].
func (p *passphraseIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != "scrypt" {
		return nil, age.ErrIncorrectIdentity
	}
	fileKey, err := p.unwrap(stanzas)
	p.err = err
	return fileKey, err
}

func (p *passphraseIdentity) unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if p.ask == nil {
		return nil, fmt.Errorf("%w; give its passphrase", ErrEncrypted)
	}
	if args := stanzas[0].Args; len(args) == 2 {
		if n, err := strconv.Atoi(args[1]); err == nil && n > WorkFactor {
			return nil, fmt.Errorf("private_key: its passphrase has the work factor %d, more than the %d allowed; encrypt it again with pysock-keygen or age", n, WorkFactor)
		}
	}
	passphrase, err := p.ask(p.path)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, fmt.Errorf("%w: it is empty; try again", ErrPassphrase)
	}
	id.SetMaxWorkFactor(WorkFactor)
	fileKey, err := id.Unwrap(stanzas)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, fmt.Errorf("%w for the private key; try again", ErrPassphrase)
	}
	if err != nil {
		return nil, errArmor
	}
	return fileKey, nil
}

// ParseRecipient reads an age recipient to encrypt a private key to: X25519 (age1…)
// or post-quantum hybrid (age1pq1…). Recipients of plugins and of ssh are refused.
func ParseRecipient(s string) (age.Recipient, error) {
	refuse := func(why string) (age.Recipient, error) {
		return nil, fmt.Errorf("the age recipient %s %s; it should be what age-keygen prints as its public key, age1…",
			quote(s), why)
	}
	if strings.HasPrefix(s, "age1pq1") {
		if r, err := age.ParseHybridRecipient(s); err == nil {
			return r, nil
		}
		return refuse("is mistyped")
	}
	if r, err := age.ParseX25519Recipient(s); err == nil {
		return r, nil
	}
	// A recipient of a plugin is age1NAME1…; no X25519 one has a second 1.
	if rest, ok := strings.CutPrefix(s, "age1"); ok && !strings.Contains(rest, "1") {
		return refuse("is mistyped")
	}
	return refuse("is of a kind that is not supported (plugins and ssh keys are not)")
}

// LoadIdentities reads an age identity file for [LoadOptions.Identities], as
// age-keygen writes it. The file is held to the same rules as a key file with a
// private key (see [LoadWith]). Every error is a [*FileError].
func LoadIdentities(path string) ([]age.Identity, error) {
	r, err := readRegular(path, "make an identity with age-keygen")
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(path, r.info); err != nil {
		return nil, err
	}
	ids, err := age.ParseIdentities(bytes.NewReader(r.data))
	if err != nil {
		return nil, &FileError{Path: path,
			Err: errors.New("this is not an age identity file without a passphrase; make one with age-keygen")}
	}
	return ids, nil
}
