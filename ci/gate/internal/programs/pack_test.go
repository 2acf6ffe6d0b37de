package programs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"
)

// packedOf is a program as a release carries it.
func packedOf(t *testing.T, content string) *fstest.MapFile {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := compress(&out, file); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: []byte(out.String())}
}

func TestWhatIsPackedComesOutAsItWas(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	suite := strings.Repeat("the suite ", 100_000)
	release := fstest.MapFS{
		"amd64/specs.test.zst": packedOf(t, suite), "amd64/init.zst": packedOf(t, "#!/bin/sh\nexit 42\n"),
		"arm64/specs.test.zst": packedOf(t, "another"), "arm64/init.zst": packedOf(t, "another"),
	}
	g.Expect(len(release["amd64/specs.test.zst"].Data)).To(BeNumerically("<", len(suite)/10))
	p := setIn(t.TempDir(), Specs)
	g.Expect(Specs.program().unpack(release, "amd64", p.folder)).To(Succeed())
	g.Expect(guestInit.unpack(release, "amd64", p.folder)).To(Succeed())
	g.Expect(os.ReadFile(p.Suite)).To(BeEquivalentTo(suite))
	for _, program := range []string{p.Suite, p.Init} {
		info, err := os.Stat(program)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(info.Mode().Perm()&0o100).NotTo(BeZero(), "it can not be executed")
	}
}

func TestAReleaseThatLacksAProgramSaysWhich(t *testing.T) {
	t.Parallel()
	whole := packedOf(t, strings.Repeat("the suite ", 1000))
	for name, c := range map[string]struct {
		release fstest.MapFS
		want    string
	}{
		"another architecture": {fstest.MapFS{"arm64/specs.test.zst": whole}, "amd64/specs.test.zst: file does not exist"},
		"cut short":            {fstest.MapFS{"amd64/specs.test.zst": {Data: whole.Data[:len(whole.Data)-8]}}, "amd64/specs.test.zst: unexpected EOF"},
		"something else":       {fstest.MapFS{"amd64/specs.test.zst": {Data: []byte("\x7fELF")}}, "amd64/specs.test.zst: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			g.Expect(Specs.program().unpack(c.release, "amd64", t.TempDir())).To(MatchError(And(
				ContainSubstring("unpack the programs for amd64 that this gate carries: "), ContainSubstring(c.want))))
		})
	}
}
