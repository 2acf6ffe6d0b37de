package debian

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	. "github.com/onsi/gomega"
)

// What cannot be trusted or had is refused with one clear error and leaves
// nothing behind.
func TestRefused(t *testing.T) {
	t.Parallel()
	const deb = "/debian/pool/main/l/linux/linux-image-6.12.1-cloud-amd64_6.12.1-1_amd64.deb"
	const inRelease = "/debian/dists/trixie/InRelease"
	for name, test := range map[string]struct {
		spoil func(*fakeArchive, *Archive)
		want  []string
	}{
		"signed by an unknown key": {
			func(f *fakeArchive, a *Archive) { a.put(keyringFiles[0], f.keyring(newKey(f.t))) },
			[]string{
				"no mirror gives dists/trixie/InRelease; update the package debian-archive-keyring:",
				"expected a good signature by a key of /usr/share/keyrings/debian-archive-keyring.gpg", "unknown",
			},
		},
		"index changed after it was signed": {
			func(f *fakeArchive, a *Archive) {
				f.files[inRelease] = bytes.Replace(f.files[inRelease], []byte("Origin: Debian"), []byte("Origin: Nobody"), 1)
			},
			[]string{"dists/trixie/InRelease", "expected a good signature", "invalid signature"},
		},
		"index without a signature": {
			func(f *fakeArchive, a *Archive) { f.files[inRelease] = []byte("Suite: trixie\n") },
			[]string{"dists/trixie/InRelease", "not a clear-signed file"},
		},
		"index of another suite": {
			func(f *fakeArchive, a *Archive) {
				f.publish("/debian", "buster", "")
				f.files[inRelease] = f.files["/debian/dists/buster/InRelease"]
			},
			[]string{"dists/trixie/InRelease", `expected trixie, got suite "buster", codename "buster"`},
		},
		"expired index": {
			func(f *fakeArchive, a *Archive) {
				f.publish("/debian", "trixie", "Valid-Until: Thu, 02 Jan 2020 03:04:05 UTC\n", single("6.12.1", "6.12.1-1")...)
			},
			[]string{"dists/trixie/InRelease", "valid until 2020-01-02 03:04 UTC only"},
		},
		"index without a date": {
			func(f *fakeArchive, a *Archive) { f.publish("/debian", "trixie", "Date: \n") },
			[]string{"its Date is no date"},
		},
		"expiry that is no date": {
			func(f *fakeArchive, a *Archive) {
				f.publish("/debian", "trixie", "Valid-Until: tomorrow\n", single("6.12.1", "6.12.1-1")...)
			},
			[]string{"Valid-Until", "tomorrow"},
		},
		"wrong hash of the packages": {
			func(f *fakeArchive, a *Archive) { f.flip(f.path("by-hash")) },
			[]string{"get the packages of debian/trixie", "by-hash/SHA256/", "wrong hash: expected SHA256 ", ", got "},
		},
		"wrong hash of the kernel": {
			func(f *fakeArchive, a *Archive) { f.flip(deb) },
			[]string{deb[len("/debian/"):], "wrong hash: expected SHA256 ", ", got "},
		},
		"kernel cut short, which the mirror does not notice": {
			func(f *fakeArchive, a *Archive) { f.files[deb] = f.files[deb][:100] },
			[]string{deb[len("/debian/"):], "cut short: expected ", " bytes, got 100"},
		},
		"kernel cut short on the way": {
			func(f *fakeArchive, a *Archive) {
				f.special[deb] = func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", fmt.Sprint(len(f.files[deb])))
					_, _ = w.Write(f.files[deb][:100])
				}
			},
			[]string{deb[len("/debian/"):], "cut short: expected ", " bytes, got 100"},
		},
		"kernel longer than the index says": {
			func(f *fakeArchive, a *Archive) { f.files[deb] = append(f.files[deb], "more"...) },
			[]string{deb[len("/debian/"):], "wrong size: expected ", " bytes, got more"},
		},
		"mirror that falls silent": {
			func(f *fakeArchive, a *Archive) {
				a.patience = 200 * time.Millisecond
				f.special[deb] = func(w http.ResponseWriter, r *http.Request) {
					_, _ = w.Write(f.files[deb][:100])
					w.(http.Flusher).Flush()
					<-r.Context().Done()
				}
			},
			[]string{deb[len("/debian/"):], "broke off after 100 of", "it sent nothing for 200ms"},
		},
		"kernel that the mirror has lost": {
			func(f *fakeArchive, a *Archive) { delete(f.files, deb) },
			[]string{deb[len("/debian/"):], "404 Not Found", "FINWAIT_MIRRORS"},
		},
		"security updates out of reach": {
			func(f *fakeArchive, a *Archive) {
				f.special["/debian-security/dists/trixie-security/InRelease"] = func(w http.ResponseWriter, r *http.Request) {
					http.Error(w, "overloaded", http.StatusServiceUnavailable)
				}
			},
			[]string{"get the updates of debian/trixie", "dists/trixie-security/InRelease", "503 Service Unavailable"},
		},
		"security updates by somebody else": {
			func(f *fakeArchive, a *Archive) {
				f.sign("/debian-security/dists/trixie-security", "Suite: trixie-security\n", newKey(f.t))
			},
			[]string{"get the updates of debian/trixie", "dists/trixie-security/InRelease", "expected a good signature"},
		},
		"no kernel in the suite": {
			func(f *fakeArchive, a *Archive) { f.publish("/debian", "trixie", "") },
			[]string{"debian/trixie has no cloud kernel", "linux-image-cloud-amd64"},
		},
		"dependency that the index does not have": {
			func(f *fakeArchive, a *Archive) {
				f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")[:1]...)
			},
			[]string{"depends on linux-image-6.12.1-cloud-amd64 6.12.1-1, which the index does not have"},
		},
		"kernel without modules": {
			func(f *fakeArchive, a *Archive) {
				packages := single("6.12.1", "6.12.1-1")
				packages[1].files = map[string]string{"./boot/vmlinuz-6.12.1-cloud-amd64": "kernel"}
				f.publish("/debian", "trixie", "", packages...)
			},
			[]string{"package linux-image-6.12.1-cloud-amd64 6.12.1-1", "holds no modules"},
		},
		"modules without a kernel": {
			func(f *fakeArchive, a *Archive) {
				packages := single("6.12.1", "6.12.1-1")
				delete(packages[1].files, "./boot/vmlinuz-6.12.1-cloud-amd64")
				f.publish("/debian", "trixie", "", packages...)
			},
			[]string{"package linux-image-6.12.1-cloud-amd64 6.12.1-1", "holds no vmlinuz"},
		},
		"no keys": {
			func(f *fakeArchive, a *Archive) { a.root = fstest.MapFS{} },
			[]string{": install the package debian-archive-keyring"},
		},
		"keyring without keys": {
			func(f *fakeArchive, a *Archive) { a.put(keyringFiles[0], f.keyring()) },
			[]string{"/usr/share/keyrings/debian-archive-keyring.gpg: it holds no keys; reinstall the package debian-archive-keyring"},
		},
		"keyring of something else": {
			func(f *fakeArchive, a *Archive) {
				a.put(keyringFiles[0], &fstest.MapFile{Data: []byte("what is this?")})
			},
			[]string{"/usr/share/keyrings/debian-archive-keyring.gpg: ", "; reinstall the package debian-archive-keyring"},
		},
		"no mirrors": {
			func(f *fakeArchive, a *Archive) { a.Mirrors = nil },
			[]string{"no mirror of Debian's archive is known", "--mirror or FINWAIT_MIRRORS"},
		},
		"no space for the download": {
			func(f *fakeArchive, a *Archive) {
				a.create = func(string) (*os.File, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }
			},
			[]string{"can't write to ", "/debian/packages: no space left on device; make room there or set XDG_CACHE_HOME to another folder"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			f := newFakeArchive(t)
			f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
			a := f.archive()
			test.spoil(f, a)
			_, err := a.Resolve(t.Context(), suiteRef("trixie"))
			g.Expect(err).To(HaveOccurred())
			for _, want := range test.want {
				g.Expect(err.Error()).To(ContainSubstring(want))
			}
			noKernel(t, a)
		})
	}
}

// flip changes a byte of a file.
func (f *fakeArchive) flip(path string) {
	changed := bytes.Clone(f.files[path])
	changed[len(changed)/2] ^= 1
	f.files[path] = changed
}

func TestUnknownSuite(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	a := f.archive()
	_, err := a.Resolve(t.Context(), suiteRef("buster"))
	g.Expect(err).To(MatchError(SatisfyAll(
		ContainSubstring("no mirror has debian/buster"),
		ContainSubstring("bullseye bookworm"),
		ContainSubstring(f.server.URL+"/debian: it answered 404 Not Found"),
	)))
	g.Expect(cached(t, a)).To(BeEmpty())
}

func TestPasswordsStaySecret(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	a := f.archive()
	a.Mirrors = []string{strings.Replace(f.server.URL, "//", "//user:sesame@", 1)}
	_, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).To(HaveOccurred())
	g.Expect(err.Error()).NotTo(ContainSubstring("sesame"))
}

func TestMalformedMirror(t *testing.T) {
	t.Parallel()
	for uri, shown := range map[string]string{
		"htp://nowhere/debian":                 "htp://nowhere/debian",
		"nowhere/debian":                       "nowhere/debian",
		"http://":                              "http://",
		"http://user:se%same@nowhere:x/debian": "nowhere:x/debian",
	} {
		t.Run(shown, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			f := newFakeArchive(t)
			a := f.archive()
			a.Mirrors = append(a.Mirrors, uri)
			a.root = fstest.MapFS{} // no keys either, but that comes later
			_, err := a.Resolve(t.Context(), suiteRef("trixie"))
			g.Expect(err).To(MatchError(SatisfyAll(
				HavePrefix(fmt.Sprintf("mirror %q: want http://HOST/FOLDER or https://HOST/FOLDER", shown)),
				ContainSubstring("--mirror or FINWAIT_MIRRORS"),
			)))
			_, err = a.Suites(t.Context())
			g.Expect(err).To(MatchError(ContainSubstring("want http://HOST/FOLDER")))
			g.Expect(f.requests("")).To(BeZero())
		})
	}
}

func TestExpiredIndexIsAcceptedWhereAptAcceptsIt(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "sid", "Valid-Until: Thu, 02 Jan 2020 03:04:05 UTC\n", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	a.put("etc/apt/apt.conf", &fstest.MapFile{Data: []byte(`Acquire::Check-Valid-Until "false";`)})
	var notices []string
	a.Notice = func(line string) { notices = append(notices, line) }
	const note = "the index of debian/sid was valid until 2020-01-02 03:04 UTC only, there may be newer kernels"

	image, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Notes).To(Equal([]string{note}))
	g.Expect(notices).To(Equal(image.Notes))

	image, err = a.Resolve(t.Context(), versionRef("6.12.1-1"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Notes).To(Equal([]string{note}), "whatever is wrong with suites that do not have this version")

	f.server.Close()
	image, err = a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Notes).To(Equal([]string{
		"no mirror of debian/sid can be reached, its index fetched less than two minutes ago is used",
		note,
	}))
}

func TestOlderIndexIsRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f, behind := newFakeArchive(t), newFakeArchive(t)
	behind.key = f.key
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	at := func(age time.Duration) string { return "Date: " + date(now.Add(-age)) + "\n" }
	f.publish("/debian", "sid", at(0), single("6.1.0-2", "6.1.7-1")...)
	behind.publish("/debian", "sid", at(time.Minute), single("6.1.0-1", "6.1.4-1")...)
	a := f.archive()
	resolve := func() (string, error) {
		image, err := a.Resolve(t.Context(), suiteRef("sid"))
		return image.Version, err
	}
	g.Expect(resolve()).To(Equal("6.1.7-1"))
	g.Expect(resolve()).To(Equal("6.1.7-1"), "the same index is not an older one")

	a.Mirrors = []string{behind.server.URL + "/debian"}
	_, err := resolve()
	g.Expect(err).To(MatchError(SatisfyAll(
		ContainSubstring("no mirror gives dists/sid/InRelease"),
		ContainSubstring(behind.server.URL+"/debian: the index is of 2026-07-01 11:59 UTC, older than the one of 2026-07-01 12:00 UTC"),
		ContainSubstring("remove "+a.cache+"/debian/releases/sid"),
	)))

	a.Mirrors = append(a.Mirrors, f.server.URL+"/debian")
	g.Expect(resolve()).To(Equal("6.1.7-1"), "the next mirror is not behind")

	a.Mirrors = a.Mirrors[:1]
	g.Expect(os.Remove(filepath.Join(a.cache, "debian/releases/sid"))).To(Succeed())
	g.Expect(resolve()).To(Equal("6.1.4-1"), "as the error says")
}

func TestSecurityUpdatesDoNotGoAway(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "bookworm", "Version: 12.1\n", single("6.1.0-1", "6.1.4-1")...)
	f.publish("/debian-security", "bookworm-security", "", single("6.1.0-2", "6.1.7-1")...)
	a := f.archive()
	resolve := func() (string, error) {
		image, err := a.Resolve(t.Context(), suiteRef("bookworm"))
		return image.Version, err
	}
	g.Expect(resolve()).To(Equal("6.1.7-1"))

	delete(f.files, "/debian-security/dists/bookworm-security/InRelease")
	kept := filepath.Join(a.cache, "debian/releases/bookworm-security")
	for range 2 { // the first must not make the second forget
		_, err := resolve()
		g.Expect(err).To(MatchError(SatisfyAll(
			HavePrefix("get the updates of debian/bookworm: there was a debian/bookworm-security before; remove "+kept),
			ContainSubstring("404 Not Found"),
		)))
	}
	g.Expect(os.Remove(kept)).To(Succeed())
	g.Expect(resolve()).To(Equal("6.1.4-1"), "as the error says")
}

func TestOneGoodSignatureWillDo(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	past := time.Now().Add(-time.Hour)
	expired := newKeyOf(t, &packet.Config{
		Algorithm:       packet.PubKeyAlgoEdDSA,
		Time:            func() time.Time { return past },
		KeyLifetimeSecs: 60,
	})
	f.publish("/debian", "sid", "", single("6.12.1", "6.12.1-1")...)
	index := f.files["/debian/dists/sid/InRelease"]
	block, _ := clearsign.Decode(index)
	a := f.archive()
	a.put(keyringFiles[0], f.keyring(expired, f.key))

	f.sign("/debian/dists/sid", string(block.Plaintext), newKey(t), expired)
	_, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).To(MatchError(ContainSubstring("key expired")))

	f.sign("/debian/dists/sid", string(block.Plaintext), newKey(t), expired, f.key)
	_, err = a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
}
