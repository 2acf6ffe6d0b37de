package kernel

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// versioned is a bzImage whose setup header leads to a text.
func versioned(text string) []byte {
	image := bzImage()
	binary.LittleEndian.PutUint16(image[0x20e:], 0x100)
	copy(image[0x300:], text+"\x00")
	return image
}

func TestReleaseOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"a distribution's":    {versioned("6.1.0-46-cloud-amd64 (someone@somewhere) #1 SMP"), "6.1.0-46-cloud-amd64"},
		"one of somebody's":   {versioned("6.18.0-rc3+_mine~1 (me@here)"), "6.18.0-rc3+_mine~1"},
		"none":                {bzImage(), ""},
		"an arm64 kernel's":   {arm64Image(peARM64), ""},
		"an escape sequence":  {versioned("6.1\x1b[2J\x1b]0;x\a (someone)"), ""},
		"another directory's": {versioned("6.1/../../etc (someone)"), ""},
		"no text":             {versioned("\xff\xfe\xfd"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			path := filepath.Join(t.TempDir(), "vmlinuz")
			g.Expect(os.WriteFile(path, c.content, 0o644)).To(Succeed())
			g.Expect(ReleaseOf(path)).To(Equal(c.want))
		})
	}
}

func TestReadBuiltReleaseRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"an escape sequence": {"6.1\x1b[2J\n", `"6.1\x1b[2J" is no kernel's release`},
		"nothing":            {"\n", `"" is no kernel's release`},
		"a text":             {"6.1\n6.2\n", `"6.1\n6.2" is no kernel's release`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			tree := t.TempDir()
			path := filepath.Join(tree, BuiltRelease)
			g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
			g.Expect(os.WriteFile(path, []byte(c.text), 0o644)).To(Succeed())
			_, err := ReadBuiltRelease(tree)
			g.Expect(err).To(MatchError(path + ": " + c.want))
		})
	}
}

// FuzzReleaseOf checks that a kernel's header puts nothing on a terminal but a release.
func FuzzReleaseOf(f *testing.F) {
	f.Add(versioned("6.1 (someone)"))
	f.Add(versioned("\x1b[2J"))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, r := range releaseIn(bytes.NewReader(file)) {
			if r <= ' ' || r > '~' || strings.ContainsRune(`/\"'`, r) {
				t.Errorf("%q: a release with %q", file, r)
			}
		}
	})
}
