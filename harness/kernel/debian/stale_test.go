package debian

import (
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	. "github.com/onsi/gomega"
)

// Yesterday's index names a kernel that today's pool has no more.
func TestNextMirrorsIndexIsUsedInThePlaceOfAStaleOne(t *testing.T) {
	t.Parallel()
	yesterday := "Date: " + date(time.Now().Add(-24*time.Hour)) + "\n"
	for name, lose := range map[string]func(stale *fakeArchive){
		"kernel":              func(f *fakeArchive) { delete(f.files, f.path("linux-image-6.1.0-1-cloud-amd64")) },
		"kernel, by refusal":  func(f *fakeArchive) { f.special[f.path("linux-image-6.1.0-1-cloud-amd64")] = forbid },
		"list of packages":    func(f *fakeArchive) { delete(f.files, f.path("by-hash")) },
		"another kernel":      func(f *fakeArchive) { f.flip(f.path("linux-image-6.1.0-1-cloud-amd64")) },
		"a shorter kernel":    func(f *fakeArchive) { cut(f, f.path("linux-image-6.1.0-1-cloud-amd64")) },
		"another list":        func(f *fakeArchive) { f.flip(f.path("by-hash")) },
		"list that is longer": func(f *fakeArchive) { f.files[f.path("by-hash")] = append(f.files[f.path("by-hash")], 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			stale, fresh := newFakeArchive(t), newFakeArchive(t)
			fresh.key = stale.key
			stale.publish("/debian", "sid", yesterday, single("6.1.0-1", "6.1.4-1")...)
			lose(stale)
			fresh.publish("/debian", "sid", "", single("6.1.0-2", "6.1.7-1")...)
			a := stale.archive()
			a.Mirrors = []string{stale.server.URL + "/debian", fresh.server.URL + "/debian"}
			var notices []string
			a.Notice = func(line string) { notices = append(notices, line) }

			image, err := a.Resolve(t.Context(), suiteRef("sid"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(image.Version).To(Equal("6.1.7-1"))
			g.Expect(notices).To(ConsistOf(And(
				HavePrefix("the index of "+stale.server.URL+"/debian names "),
				HaveSuffix(", which no mirror has as it says: the next mirror's is used"),
			)))
			finished(t, a)
		})
	}
}

func forbid(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }

func cut(f *fakeArchive, path string) { f.files[path] = f.files[path][:len(f.files[path])/2] }

func TestStaleSecurityUpdates(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	stale, fresh := newFakeArchive(t), newFakeArchive(t)
	fresh.key = stale.key
	for _, f := range []*fakeArchive{stale, fresh} {
		f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	}
	stale.publish("/debian-security", "trixie-security", "Date: "+date(time.Now().Add(-time.Hour))+"\n", single("6.12.2", "6.12.2-1")...)
	delete(stale.files, stale.path("linux-image-6.12.2-cloud-amd64"))
	fresh.publish("/debian-security", "trixie-security", "", single("6.12.3", "6.12.3-1")...)
	a := stale.archive()
	a.Mirrors = []string{stale.server.URL + "/debian", fresh.server.URL + "/debian"}

	image, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Version).To(Equal("6.12.3-1"))
}

// What is stale everywhere, or is no fault of an index, is an error that says so.
func TestNoMirrorsIndexIsGood(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	first, second := newFakeArchive(t), newFakeArchive(t)
	second.key = first.key
	for _, f := range []*fakeArchive{first, second} {
		f.publish("/debian", "sid", "", single("6.1.0-1", "6.1.4-1")...)
		delete(f.files, f.path("linux-image-6.1.0-1-cloud-amd64"))
	}
	a := first.archive()
	a.Mirrors = []string{first.server.URL + "/debian", second.server.URL + "/debian"}
	_, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).To(MatchError(SatisfyAll(
		ContainSubstring("the index of "+first.server.URL+"/debian does not fit what the mirrors hold, as when one is being updated: try again later"),
		ContainSubstring("404 Not Found"),
	)))
	g.Expect(err).To(MatchError(ErrGone))
	noKernel(t, a)

	for path := range second.files {
		delete(second.files, path)
	}
	_, err = a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).To(MatchError(ContainSubstring("linux-image-6.1.0-1-cloud-amd64_6.1.4-1_amd64.deb")), "not that the other mirror has no such suite")
}

func TestWhatIsTooSlow(t *testing.T) {
	t.Parallel()
	const least = 30 * slowest
	for name, c := range map[string]struct {
		got  int // each ten seconds
		want string
	}{
		"nothing":         {0, "it is too slow: 0 bytes in 30s"},
		"next to nothing": {least/3 - 1, "it is too slow: 122877 bytes in 30s"},
		"enough":          {least / 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			b := &body{patience: 30 * time.Second}
			for range 2 {
				g.Expect(b.pace(c.got, 10*time.Second)).To(Succeed())
				g.Expect(b.pace(c.got, 10*time.Second)).To(Succeed())
				err := b.pace(c.got, 10*time.Second)
				if c.want != "" {
					g.Expect(err).To(MatchError(c.want))
					return
				}
				g.Expect(err).NotTo(HaveOccurred())
			}
		})
	}
}

// A mirror that is not silent, and yet gives nothing.
func TestReadingEndsWhereAMirrorIsTooSlow(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	b := &body{silence: time.NewTimer(time.Hour), patience: time.Nanosecond, response: io.NopCloser(nothing{})}
	var err error
	for err == nil {
		_, err = b.Read(make([]byte, 1))
	}
	g.Expect(err).To(MatchError(HavePrefix("it is too slow: 0 bytes in ")))
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestKeyringThatIsSet(t *testing.T) {
	t.Parallel()
	f := newFakeArchive(t)
	f.publish("/debian", "sid", "", single("6.1.0-1", "6.1.4-1")...)
	for name, test := range map[string]struct {
		keys []byte
		want string
	}{
		"another's": {f.keyring(newKey(t)).Data, "expected a good signature by a key of %s, got: "},
		"empty":     {nil, "read the archive's keys: %s: it holds no keys: --keyring wants a file of OpenPGP public keys"},
		"no keys":   {[]byte("what is this?"), ": --keyring wants a file of OpenPGP public keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			a := f.archive()
			a.Keyring = filepath.Join(t.TempDir(), "keys")
			g.Expect(os.WriteFile(a.Keyring, test.keys, 0o644)).To(Succeed())
			_, err := a.Resolve(t.Context(), suiteRef("sid"))
			g.Expect(err).To(MatchError(ContainSubstring(strings.ReplaceAll(test.want, "%s", a.Keyring))))
			noKernel(t, a)
		})
	}

	g := NewWithT(t)
	a := f.archive()
	a.Keyring = filepath.Join(t.TempDir(), "keys")
	_, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).To(MatchError(HaveSuffix("no such file or directory: correct --keyring")))

	g.Expect(os.WriteFile(a.Keyring, f.keyring(f.key).Data, 0o644)).To(Succeed())
	a.root = fstest.MapFS{} // a machine without Debian's keys
	image, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Version).To(Equal("6.1.4-1"))
}

// A version that makes something else of the same packages has entries of its own.
func TestCacheSharedWithAnOlderVersion(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "sid", "", single("6.1.0-1", "6.1.4-1")...)
	a := f.archive()
	index := path.Base(f.path("by-hash"))
	old := filepath.Join(a.cache, "debian/packages", index)
	g.Expect(os.MkdirAll(old, 0o755)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(old, extractFile), []byte("what it kept then"), 0o644)).To(Succeed())

	image, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Version).To(Equal("6.1.4-1"))
	g.Expect(read(t, old, extractFile)).To(Equal("what it kept then"))
}
