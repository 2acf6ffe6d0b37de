package debian

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
)

// A release is a suite's signed table of contents, dists/SUITE/InRelease.
type release struct {
	Suite, Codename string
	// Version is the number of a released Debian, such as "13.7"; empty for the
	// suites that are still being made, and for backports.
	Version string
	// Date is when the archive made the index: of two, the later one is newer.
	Date time.Time
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

// expired tells whether the index says that it is too old to be used.
func (r *release) expired() bool {
	return !r.ValidUntil.IsZero() && time.Now().After(r.ValidUntil)
}

const dateForm = "Mon, _2 Jan 2006 15:04:05 MST"

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
		if rel.Date, err = time.Parse(dateForm, fields["date"]); err != nil {
			return nil, fmt.Errorf("its Date is no date: %w", err)
		}
		if until := fields["valid-until"]; until != "" {
			if rel.ValidUntil, err = time.Parse(dateForm, until); err != nil {
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
// index of its own nor another suite's. It looks at no dates.
func verifyRelease(inRelease []byte, suite string, keys keyring) (*release, error) {
	block, _ := clearsign.Decode(inRelease)
	if block == nil {
		return nil, errors.New("it is not a clear-signed file")
	}
	if err := keys.verify(block); err != nil {
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
