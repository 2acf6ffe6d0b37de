package catalogue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

const versions = "nginx\t1.22.1-9+deb12u11\tamd64\n" +
	"postgresql\t15+248+deb12u2\tall\n" +
	"postgresql-15\t15.20-0+deb12u1\tamd64\n" +
	"postgresql-client-15\t15.20-0+deb12u1\tamd64\n" +
	"python3\t3.11.2-1+b1\tamd64\n" +
	"python3.11\t3.11.2-6+deb12u9\tamd64\n" +
	"python3.11-minimal\t3.11.2-6+deb12u9\tamd64\n"

func TestVersions(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	packages, err := Versions(written(t, versions))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(packages).To(HaveLen(7))
	for program, want := range map[string]Package{
		"nginx":      {Name: "nginx", Version: "1.22.1-9+deb12u11", Architecture: "amd64"},
		"postgresql": {Name: "postgresql-15", Version: "15.20-0+deb12u1", Architecture: "amd64"},
		"asyncio":    {Name: "python3.11", Version: "3.11.2-6+deb12u9", Architecture: "amd64"},
	} {
		for _, s := range All() {
			if strings.HasPrefix(s.Name, program+"/") {
				g.Expect(s.From(packages)).To(Equal(want), s.Name)
			}
		}
	}
	_, err = Server{Name: "a/server", Package: "another"}.From(packages)
	g.Expect(err).To(MatchError("a/server comes from another, and of 7 packages none is that"))
}

func TestVersionsRefuses(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	for text, want := range map[string]string{
		"":                                "no package",
		"nginx 1 amd64\n":                 `line 1: "nginx 1 amd64" is not`,
		versions + "\n":                   `line 8: "" is not`,
		"nginx\t1\n":                      "line 1",
		"nginx\t\tamd64\n":                "line 1",
		"nginx\t1\tamd64\tmore\n":         "line 1",
		"nginx\t1\tamd64\nhaproxy\t2\t\n": "line 2",
	} {
		_, err := Versions(written(t, text))
		g.Expect(err).To(MatchError(And(ContainSubstring(want), ContainSubstring("make -B servers"))), "%q", text)
	}
	_, err := Versions(filepath.Join(t.TempDir(), "missing"))
	g.Expect(err).To(MatchError(os.ErrNotExist))
	g.Expect(err).To(MatchError(ContainSubstring("make servers")))
}

// FuzzVersions checks that what is read says the same as what was written.
func FuzzVersions(f *testing.F) {
	f.Add(versions)
	f.Add("nginx\t1\tamd64")
	f.Add("\t\t\n")
	f.Fuzz(func(t *testing.T, text string) {
		packages, err := parseVersions(text)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, p := range packages {
			again.WriteString(strings.Join([]string{p.Name, p.Version, p.Architecture}, "\t") + "\n")
		}
		if got, want := again.String(), strings.TrimSuffix(text, "\n")+"\n"; got != want {
			t.Errorf("%q was read as %q", want, got)
		}
	})
}

// written returns the path of a packages.tsv with that text.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "packages.tsv")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
