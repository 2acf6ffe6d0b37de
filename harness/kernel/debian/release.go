package debian

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A release is a suite's signed table of contents, dists/SUITE/InRelease.
type release struct {
	Suite, Codename string
	// Version is the number of a released Debian, such as "13.7"; empty for the
	// suites that are still being made, and for backports.
	Version string
	// ValidUntil is when the index says it is too old to be used; zero where it
	// does not say. Debian's released suites do not, apart from security.
	ValidUntil time.Time
	// ByHash says that index files can be had under the name of their hash.
	ByHash bool
	// Files holds, by path below dists/SUITE, what each index file must be.
	Files map[string]digest
}

// A digest is what the archive says of a file.
type digest struct {
	Size   int64  // in bytes
	SHA256 string // in lower-case hexadecimal
}

// parseRelease reads the content of a Release file.
func parseRelease(text []byte) (*release, error) {
	for fields, err := range paragraphs(bytes.NewReader(text)) {
		if err != nil {
			return nil, err
		}
		rel := &release{
			Suite:    fields["suite"],
			Codename: fields["codename"],
			Version:  fields["version"],
			ByHash:   fields["acquire-by-hash"] == "yes",
		}
		if until := fields["valid-until"]; until != "" {
			if rel.ValidUntil, err = time.Parse("Mon, _2 Jan 2006 15:04:05 MST", until); err != nil {
				return nil, fmt.Errorf("its Valid-Until is no date: %w", err)
			}
		}
		if rel.Files, err = parseChecksums(fields["sha256"]); err != nil {
			return nil, err
		}
		return rel, nil
	}
	return nil, errors.New("it is empty")
}

// parseChecksums reads lines of "HASH SIZE PATH".
func parseChecksums(text string) (map[string]digest, error) {
	files := make(map[string]digest)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 {
			return nil, fmt.Errorf("its SHA256 list has the line %.80q", line)
		}
		sum, err := parseDigest(words[0], words[1])
		if err != nil {
			return nil, fmt.Errorf("its SHA256 list, %s: %w", words[2], err)
		}
		files[words[2]] = sum
	}
	return files, nil
}

func parseDigest(sha256, size string) (digest, error) {
	if sum, err := hex.DecodeString(sha256); err != nil || len(sum) != 32 {
		return digest{}, fmt.Errorf("%q is no SHA256", sha256)
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 {
		return digest{}, fmt.Errorf("%q is no size", size)
	}
	return digest{Size: n, SHA256: strings.ToLower(sha256)}, nil
}

// verifyRelease checks that inRelease is signed by a key of the keyring and is
// the index of the suite asked for, so that a mirror can hand over neither an
// index of its own nor another suite's. It does not look at ValidUntil.
func verifyRelease(inRelease []byte, suite string, keys keyring) (*release, error) {
	block, _ := clearsign.Decode(inRelease)
	if block == nil {
		return nil, errors.New("it is not a clear-signed file")
	}
	if err := verifySignatures(block, keys); err != nil {
		return nil, err
	}
	// Only what stands between the signature's markers is signed.
	rel, err := parseRelease(block.Plaintext)
	if err != nil {
		return nil, err
	}
	if rel.Suite != suite && rel.Codename != suite {
		return nil, fmt.Errorf("it is the index of another suite: expected %s, got suite %q, codename %q",
			suite, rel.Suite, rel.Codename)
	}
	return rel, nil
}

var errNoSignature = errors.New("no signature")

// verifySignatures wants one good signature. The archive signs with several keys
// at once, the old and the new ones, and a keyring need not hold them all.
func verifySignatures(block *clearsign.Block, keys keyring) error {
	signatures := packet.NewOpaqueReader(block.ArmoredSignature.Body)
	reason := errNoSignature
	for {
		signature, err := signatures.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("expected a good signature by a key of %s, got: %w", keys.file, reason)
		}
		if err != nil {
			return fmt.Errorf("damaged signature: %w", err)
		}
		var one bytes.Buffer
		if err := signature.Serialize(&one); err != nil {
			return fmt.Errorf("damaged signature: %w", err)
		}
		_, err = openpgp.CheckDetachedSignature(keys.keys, bytes.NewReader(block.Bytes), &one, nil)
		if err == nil {
			return nil
		}
		reason = preferKnown(reason, err)
	}
}

// preferKnown keeps, of the reasons why signatures are not good, one about a key
// that is known: that the others are by unknown keys tells nothing then.
func preferKnown(reason, next error) error {
	if errors.Is(next, pgperrors.ErrUnknownIssuer) && !errors.Is(reason, errNoSignature) {
		return reason
	}
	return next
}
