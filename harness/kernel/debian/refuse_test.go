package debian

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
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
			func(f *fakeArchive, a *Archive) { a.Keyring = f.keyring(newKey(f.t)) },
			[]string{"dists/trixie/InRelease", "expected a good signature by a key of", "keyring.gpg", "unknown"},
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
			[]string{"dists/trixie/InRelease", "valid until 2020-01-02 only"},
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
			func(f *fakeArchive, a *Archive) { a.Keyring = "" },
			[]string{"install the package debian-archive-keyring"},
		},
		"no mirrors": {
			func(f *fakeArchive, a *Archive) { a.Mirrors = nil },
			[]string{"no mirror of Debian's archive is known", "--mirror or FINWAIT_MIRRORS"},
		},
		"mirror with a mistake in it": {
			func(f *fakeArchive, a *Archive) { a.Mirrors = []string{"htp://nowhere/debian"} },
			[]string{"htp://nowhere/debian", "unsupported protocol"},
		},
		"no space for the download": {
			func(f *fakeArchive, a *Archive) {
				a.create = func(string) (*os.File, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }
			},
			[]string{"no space left in ", "/debian/packages", "choose another cache folder"},
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

func TestNoSpaceIsNotTheMirrorsFault(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	a.Mirrors = append(a.Mirrors, f.server.URL+"/other")
	a.create = func(name string) (*os.File, error) {
		if strings.HasSuffix(name, ".deb") {
			return os.OpenFile("/dev/full", os.O_WRONLY, 0)
		}
		return os.Create(name)
	}
	_, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).To(MatchError(syscall.ENOSPC))
	var local *FolderError
	g.Expect(errors.As(err, &local)).To(BeTrue())
	g.Expect(local.Folder).To(HaveSuffix("/debian/kernels"))
	g.Expect(local.Folder).To(BeADirectory())
	g.Expect(err.Error()).NotTo(ContainSubstring("FINWAIT_MIRRORS"))
	g.Expect(f.requests("/other/pool")).To(BeZero())
	noKernel(t, a)
}

func TestUnknownSuite(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	a := f.archive()
	_, err := a.Resolve(t.Context(), suiteRef("buster"))
	var unknown *UnknownSuiteError
	g.Expect(errors.As(err, &unknown)).To(BeTrue(), "%v", err)
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

func TestExpiredIndexIsAcceptedWhereAllowed(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "sid", "Valid-Until: Thu, 02 Jan 2020 03:04:05 UTC\n", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	a.AllowExpired = true
	a.root = fstest.MapFS{}
	var notices []string
	a.Notice = func(line string) { notices = append(notices, line) }
	_, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(notices).To(ConsistOf("debian/sid: the index was valid until 2020-01-02 only, its kernel may not be the newest"))
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
	a.Keyring = f.keyring(expired, f.key)

	f.sign("/debian/dists/sid", string(block.Plaintext), newKey(t), expired)
	_, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).To(MatchError(ContainSubstring("key expired")))

	f.sign("/debian/dists/sid", string(block.Plaintext), newKey(t), expired, f.key)
	_, err = a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
}
