package debian

import (
	"io"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"
)

func TestParseSourcesList(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	found, err := parseSourcesList(strings.NewReader(`
# deb http://comment/ x main
deb http://plain/debian bookworm main # and a remark
deb-src http://source/debian bookworm main
deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] http://options/debian bookworm main
deb	[check-valid-until=no]http://snapshot/debian bookworm main
deb [signed-by=/etc/apt/keyrings/docker.asc] http://foreign/debian bookworm stable
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb
deb [broken
debris http://debris/debian bookworm main
`))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(Equal([]mirror{
		{uri: "http://plain/debian"},
		{uri: "http://options/debian"},
		{uri: "http://snapshot/debian", expired: true},
		{uri: "cdrom:[Debian"},
	}))
}

func TestParseSources(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	found, err := parseSources(strings.NewReader(`# the archive
Types: deb deb-src
URIs: http://one/debian http://two/debian
Suites: bookworm
# a comment between the fields
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://source/debian

Enabled: no
Types: deb
URIs: http://disabled/debian

Types: deb
URIs:
 http://three/debian
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF

types: deb
uris: http://old/debian
check-valid-until: No

Types: deb
URIs: http://foreign/debian
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
`))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(Equal([]mirror{
		{uri: "http://one/debian"},
		{uri: "http://two/debian"},
		{uri: "http://three/debian"},
		{uri: "http://old/debian", expired: true},
	}))
}

func TestAptMirrors(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	found, err := aptMirrors(fstest.MapFS{
		"etc/apt/sources.list":                  {Data: []byte("deb http://one/debian/ sid main\ndeb cdrom:[CD]/ sid main\n")},
		"etc/apt/sources.list.d/a.list":         {Data: []byte("deb http://one/debian sid main\ndeb mirror+file:/etc/apt/list sid main\n")},
		"etc/apt/sources.list.d/b.sources":      {Data: []byte("Types: deb\nURIs: https://two/debian\n")},
		"etc/apt/sources.list.d/c.list.disused": {Data: []byte("deb http://disused/debian sid main\n")},
		"etc/apt/list":                          {Data: []byte("# ours\nhttp://three/debian\tpriority:1\nftp://four/debian\n")},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(Equal([]mirror{{uri: "http://one/debian"}, {uri: "http://three/debian"}, {uri: "https://two/debian"}}))

	_, err = aptMirrors(fstest.MapFS{"etc/apt/sources.list.d/b.sources": {Data: []byte("Types: deb\n\nwhat\n")}})
	g.Expect(err).To(MatchError(SatisfyAll(ContainSubstring("/etc/apt/sources.list.d/b.sources"), ContainSubstring("line 3"))))
}

func TestSecurityMirrors(t *testing.T) {
	t.Parallel()
	NewWithT(t).Expect(securityMirrors([]mirror{{uri: "http://one/debian", expired: true}, {uri: "http://two"}})).To(Equal([]mirror{
		{uri: "http://one/debian", expired: true},
		{uri: "http://two"},
		{uri: "http://one/debian-security", expired: true},
	}))
}

func TestAptSetting(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`Acquire::Check-Valid-Until "false";`:                              "false",
		`acquire::CHECK-valid-until no;`:                                   "no",
		`Acquire { Check-Valid-Until "0"; };`:                              "0",
		`Acquire { http { Proxy "x"; }; Check-Valid-Until "no"; }`:         "no",
		`Acquire::Check-Valid-Until "no"; Acquire::Check-Valid-Until "1";`: "1",
		`// Acquire::Check-Valid-Until "false";`:                           "",
		`# Acquire::Check-Valid-Until "false";`:                            "",
		`/* Acquire::Check-Valid-Until "false"; */`:                        "",
		`Other { Acquire::Check-Valid-Until "false"; };`:                   "",
		`APT::X "Acquire::Check-Valid-Until false;";`:                      "",
		`Acquire::Check-Valid-Until`:                                       "",
	} {
		if got, _ := aptSetting(text, "acquire::check-valid-until"); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// Whatever is in apt's files, reading them ends, and finds no more URIs than
// there are words.
func FuzzAptFiles(f *testing.F) {
	f.Add("deb [signed-by=/usr/share/keyrings/debian.gpg] http://one/debian sid main\n")
	f.Add("Types: deb\nURIs: http://one/debian\n http://two/debian\nSigned-By: x\n\n#\n")
	f.Add("http://one/debian\tpriority:1\n")
	f.Add("BaseURI: http://one/debian\n")
	f.Add(`Acquire { Check-Valid-Until "no"; /* */ }; // "`)
	f.Fuzz(func(t *testing.T, text string) {
		words := len(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n:[]", r) }))
		for name, parse := range map[string]func(io.Reader) ([]mirror, error){"one-line": parseSourcesList, "deb822": parseSources} {
			if found, _ := parse(strings.NewReader(text)); len(found) > words {
				t.Errorf("%s: %d mirrors in %d words", name, len(found), words)
			}
		}
		for name, parse := range map[string]func(io.Reader) ([]string, error){"mirror list": parseMirrorList, "templates": parseTemplates} {
			if found, _ := parse(strings.NewReader(text)); len(found) > len(text) {
				t.Errorf("%s: %d mirrors in %d bytes", name, len(found), len(text))
			}
		}
		if tokens := aptTokens(text); len(strings.Join(tokens, "")) > len(text) {
			t.Errorf("the tokens %q are longer than the text", tokens)
		}
		aptSetting(text, "acquire::check-valid-until")
	})
}
