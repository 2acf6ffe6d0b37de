package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
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

// keyring reads the keyring that is set, or else the machine's of Debian.
func (a *Archive) keyring() (keyring, error) {
	if a.Keyring != "" {
		return readKeyring(a.Keyring)
	}
	for _, name := range keyringFiles {
		text, err := fs.ReadFile(a.machine(), name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return keyring{}, fmt.Errorf("read the archive's keys: %w", err)
		}
		keys, err := parseKeyring(text)
		if err != nil {
			return keyring{}, fmt.Errorf("read the archive's keys: /%s: %w; reinstall the package debian-archive-keyring", name, err)
		}
		return keyring{keys: keys, file: "/" + name}, nil
	}
	return keyring{}, errors.New("no keys to check the archive's signatures with: install the package debian-archive-keyring")
}

func readKeyring(file string) (keyring, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return keyring{}, fmt.Errorf("read the archive's keys: %w: correct --keyring", err)
	}
	keys, err := parseKeyring(text)
	if err != nil {
		return keyring{}, fmt.Errorf("read the archive's keys: %s: %w: --keyring wants a file of OpenPGP public keys", file, err)
	}
	return keyring{keys: keys, file: file}, nil
}

// parseKeyring reads OpenPGP public keys, binary or armoured.
func parseKeyring(text []byte) (openpgp.EntityList, error) {
	read := openpgp.ReadKeyRing
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN")) {
		read = openpgp.ReadArmoredKeyRing
	}
	keys, err := read(bytes.NewReader(text))
	if err == nil && len(keys) == 0 {
		err = errors.New("it holds no keys")
	}
	return keys, err
}

var errNoSignature = errors.New("no signature")

// verify wants one good signature. The archive signs with several keys at once,
// the old and the new ones, and a keyring need not hold them all.
func (k keyring) verify(block *clearsign.Block) error {
	signatures := packet.NewOpaqueReader(block.ArmoredSignature.Body)
	reason := errNoSignature
	for {
		signature, err := signatures.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("expected a good signature by a key of %s, got: %w", k.file, reason)
		}
		if err != nil {
			return fmt.Errorf("damaged signature: %w", err)
		}
		var one bytes.Buffer
		if err := signature.Serialize(&one); err != nil {
			return fmt.Errorf("damaged signature: %w", err)
		}
		_, err = openpgp.CheckDetachedSignature(k.keys, bytes.NewReader(block.Bytes), &one, nil)
		if err == nil {
			return nil
		}
		reason = preferKnown(reason, err)
	}
}

// preferKnown keeps, of the reasons why signatures are not good, one about a key
// that is known: that the others are by unknown keys tells nothing then.
func preferKnown(reason, next error) error {
	if isUnknownKey(next) && !errors.Is(reason, errNoSignature) {
		return reason
	}
	return next
}

// isUnknownKey tells whether an index is signed, but by no key of the keyring:
// the keyring is older than the keys, or the mirror is not Debian's.
func isUnknownKey(err error) bool { return errors.Is(err, pgperrors.ErrUnknownIssuer) }
