package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// keyringFiles is where Debian's package debian-archive-keyring puts the keys
// that the archive is signed with: up to Debian 12 and since.
var keyringFiles = []string{
	"usr/share/keyrings/debian-archive-keyring.gpg",
	"usr/share/keyrings/debian-archive-keyring.pgp",
}

// A keyring is what an index has to be signed by.
type keyring struct {
	keys openpgp.EntityList
	// file is where the keys come from, for errors.
	file string
}

// keyring reads the keyring that is set, else that of the machine.
func (a *Archive) keyring() (keyring, error) {
	file, text, err := a.keyringFile()
	if errors.Is(err, fs.ErrNotExist) {
		return keyring{}, fmt.Errorf("no keys to check the archive's signatures with: "+
			"install the package debian-archive-keyring: %w", err)
	}
	if err != nil {
		return keyring{}, fmt.Errorf("read the archive's keys: %w", err)
	}
	keys, err := parseKeyring(text)
	if err != nil {
		return keyring{}, fmt.Errorf("read the archive's keys: %s: %w", file, err)
	}
	return keyring{keys: keys, file: file}, nil
}

func (a *Archive) keyringFile() (name string, text []byte, err error) {
	if a.Keyring != "" {
		text, err = os.ReadFile(a.Keyring)
		return a.Keyring, text, err
	}
	for _, file := range keyringFiles {
		text, err = fs.ReadFile(a.machine(), file)
		if !errors.Is(err, fs.ErrNotExist) {
			return "/" + file, text, err
		}
	}
	return "", nil, err
}

// parseKeyring reads OpenPGP public keys, binary or armoured.
func parseKeyring(text []byte) (openpgp.EntityList, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN")) {
		return openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	}
	return openpgp.ReadKeyRing(bytes.NewReader(text))
}
