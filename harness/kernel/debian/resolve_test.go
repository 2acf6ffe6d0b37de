package debian

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

func read(t *testing.T, elements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSuiteIsItsNewestKernelWithSecurityUpdates(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "bullseye", "Version: 11.11\n", single("5.10.0-9", "5.10.70-1")...)
	f.publish("/debian", "bullseye-updates", "")
	f.publish("/debian-security", "bullseye-security", "", single("5.10.0-10", "5.10.84-1")...)
	a := f.archive()

	image, err := a.Resolve(t.Context(), suiteRef("bullseye"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Source).To(Equal("debian/bullseye"))
	g.Expect(image.Release).To(Equal("5.10.0-10-cloud-amd64"))
	g.Expect(image.Version).To(Equal("5.10.84-1"))
	g.Expect(read(t, image.Vmlinuz)).To(Equal("kernel 5.10.84-1"))
	g.Expect(read(t, image.Modules, "kernel/drivers/net/veth.ko")).To(Equal("veth"))
	finished(t, a)
	folder := filepath.Join("debian/kernels", filepath.Base(filepath.Dir(image.Vmlinuz)))
	modules := filepath.Join(folder, "lib/modules/5.10.0-10-cloud-amd64")
	g.Expect(cached(t, a)).To(ContainElements(
		filepath.Join(folder, "config"),
		filepath.Join(folder, "vmlinuz"),
		filepath.Join(modules, "modules.builtin"),
	))
	g.Expect(cached(t, a)).NotTo(ContainElement(ContainSubstring("copyright")))
	g.Expect(f.requests(".deb")).To(Equal(1), "only the package that holds the kernel is downloaded")

	again, err := a.Resolve(t.Context(), suiteRef("bullseye"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(image))
	g.Expect(f.requests(".deb")).To(Equal(1), "the kernel is in the cache")
	g.Expect(f.requests("by-hash")).To(Equal(3), "the indices are in the cache")
	g.Expect(f.requests("/debian/dists/bullseye/InRelease")).To(Equal(2), "the index is read anew")
}

func TestSplitPackages(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "sid", "", split("7.2.13+deb14", "7.2.13-1")...)
	a := f.archive()

	image, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Release).To(Equal("7.2.13+deb14-cloud-amd64"))
	g.Expect(image.Version).To(Equal("7.2.13-1"))
	g.Expect(read(t, image.Vmlinuz)).To(Equal("kernel 7.2.13-1"))
	g.Expect(read(t, image.Modules, "modules.builtin")).NotTo(BeEmpty())
	g.Expect(read(t, image.Modules, "kernel/drivers/net/veth.ko.xz")).To(Equal("veth"))
	finished(t, a)
}

func TestSameVersionButOtherPackages(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	a := f.archive()
	var found []kernel.Image
	for _, vmlinuz := range []string{"one", "other"} {
		packages := single("6.12.1", "6.12.1-1")
		packages[1].files["./boot/vmlinuz-6.12.1-cloud-amd64"] = vmlinuz
		f.publish("/debian", "sid", "", packages...)
		image, err := a.Resolve(t.Context(), suiteRef("sid"))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(read(t, image.Vmlinuz)).To(Equal(vmlinuz))
		found = append(found, image)
	}
	g.Expect(found[0].Vmlinuz).NotTo(Equal(found[1].Vmlinuz))
}

func TestBackportsHaveNoUpdatesOfTheirOwn(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "bookworm-backports", "", single("6.12.1", "6.12.1-1~bpo12+1")...)
	image, err := f.archive().Resolve(t.Context(), suiteRef("bookworm-backports"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Version).To(Equal("6.12.1-1~bpo12+1"))
	g.Expect(f.requests("InRelease")).To(Equal(1))
}

func TestSuiteByItsOtherName(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	f.publish("/debian-security", "trixie-security", "", single("6.12.2", "6.12.2-1")...)
	trixie := f.path("/debian/dists/trixie/main/")
	f.sign("/debian/dists/stable",
		fmt.Sprintf("Suite: stable\nCodename: trixie\nVersion: 13.1\nDate: %s\nSHA256:\n %s %d main/binary-amd64/Packages.xz\n",
			date(time.Now()), filepath.Base(trixie), len(f.files[trixie])), f.key)
	f.files["/debian/dists/stable/main/binary-amd64/Packages.xz"] = f.files[trixie]

	image, err := f.archive().Resolve(t.Context(), suiteRef("stable"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Version).To(Equal("6.12.2-1"), "the updates go by the codename")
}

func TestMissingSecurityUpdatesAreNoted(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "bookworm", "Version: 12.1\n", single("6.1.0-1", "6.1.4-1")...)
	f.publish("/debian", "sid", "", single("6.1.0-1", "6.1.4-1")...)
	a := f.archive()
	var notices []string
	a.Notice = func(line string) { notices = append(notices, line) }
	image, err := a.Resolve(t.Context(), suiteRef("bookworm"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Notes).To(Equal([]string{"no mirror has debian/bookworm-security, the kernel may lack security updates"}))
	g.Expect(notices).To(Equal(image.Notes))

	image, err = a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Notes).To(BeEmpty(), "sid has not been released")
}

func TestNextMirrorIsTried(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	good, stranger, empty := newFakeArchive(t), newFakeArchive(t), newFakeArchive(t)
	good.publish("/debian", "sid", "", single("6.1.0-1", "6.1.4-1")...)
	stranger.publish("/debian", "sid", "", single("6.1.0-6", "6.1.6-6")...)
	a := good.archive()
	a.Mirrors = []string{empty.server.URL + "/debian", stranger.server.URL + "/debian", good.server.URL + "/debian/"}

	image, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Version).To(Equal("6.1.4-1"))
	g.Expect(stranger.requests(".deb")).To(BeZero())
}

func TestMirrorsOfTheMachine(t *testing.T) {
	t.Parallel()
	f := newFakeArchive(t)
	f.publish("/debian", "sid", "Valid-Until: "+date(time.Now().Add(-time.Hour))+"\n", single("6.1.0-1", "6.1.4-1")...)
	file := func(text string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, "HERE", f.server.URL))}
	}
	const noCheck = `Acquire::Check-Valid-Until "false";`
	for name, machine := range map[string]fstest.MapFS{
		"one-line": {
			"etc/apt/sources.list":                file("deb HERE/debian sid main\n"),
			"etc/apt/apt.conf.d/99no-valid-until": file(noCheck),
		},
		"deb822": {
			"etc/apt/sources.list.d/debian.sources": file("Types: deb\nURIs: HERE/debian\nSuites: sid\nCheck-Valid-Until: no\n"),
		},
		"mirror list": {
			"etc/apt/sources.list":     file("deb [check-valid-until=no] mirror+file:/etc/apt/mirrors.txt sid main\n"),
			"etc/apt/mirrors.txt":      file("HERE/nothing\tpriority:1\nHERE/debian\n"),
			"etc/apt/sources.list.d/x": file("deb HERE/other sid main\n"),
		},
		"another distribution": {
			"etc/apt/sources.list": file("deb HERE/ubuntu noble main\n"),
			templateFile:           file("Suite: {series}\nBaseURI: HERE/debian\n"),
			"etc/apt/apt.conf":     file("Acquire { Check-Valid-Until no; };"),
		},
		"no sources at all": {
			templateFile:       file("Suite: {series}\nBaseURI: HERE/debian\n"),
			"etc/apt/apt.conf": file(noCheck),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			a := f.archive()
			a.cache = t.TempDir()
			a.Mirrors = nil
			maps.Copy(a.root.(fstest.MapFS), machine)
			var notices []string
			a.Notice = func(line string) { notices = append(notices, line) }
			image, err := a.Resolve(t.Context(), suiteRef("sid"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(image.Version).To(Equal("6.1.4-1"))
			g.Expect(notices).To(ConsistOf(ContainSubstring("the index of debian/sid was valid until")))
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	f := newFakeArchive(t)
	f.publish("/debian", "bookworm", "", append(single("6.1.0-1", "6.1.4-1"), single("6.1.0-2", "6.1.7-1")...)...)
	f.publish("/debian-security", "bookworm-security", "", single("6.1.0-3", "6.1.7-2")...)
	f.publish("/debian", "sid", "", split("7.2.13+deb14", "7.2.13-1")...)
	a := f.archive()
	for ask, want := range map[string]string{
		"6.1.4-1": "6.1.4-1",
		"6.1.7-1": "6.1.7-1",
		"6.1.7":   "6.1.7-2",
		"7.2.13":  "7.2.13-1",
	} {
		t.Run(ask, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			image, err := a.Resolve(t.Context(), versionRef(ask))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(image.Version).To(Equal(want))
			g.Expect(image.Source).To(Equal("debian/" + ask))
			g.Expect(read(t, image.Vmlinuz)).To(Equal("kernel " + want))
		})
	}
	for _, ask := range []string{"6.1.5-1", "6.1.7-3", "8.0"} {
		t.Run(ask, func(t *testing.T) {
			t.Parallel()
			_, err := a.Resolve(t.Context(), versionRef(ask))
			NewWithT(t).Expect(err).To(MatchError(SatisfyAll(
				ContainSubstring("versions near it: 6.1.4-1 6.1.7-1 6.1.7-2 7.2.13-1\n"),
				ContainSubstring("debian/trixie could not be searched: no mirror has debian/trixie"),
			)))
		})
	}
}

func TestVersionMayBeInASuiteThatCannotBeRead(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	for _, suite := range knownSuites {
		f.publish("/debian", suite, "")
	}
	f.publish("/debian", "bookworm", "", single("6.1.0-1", "6.1.4-1")...)
	const inRelease = "/debian/dists/trixie/InRelease"
	f.special[inRelease] = func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
	}
	a := f.archive()
	var notices []string
	a.Notice = func(line string) { notices = append(notices, line) }

	image, err := a.Resolve(t.Context(), versionRef("6.1.4"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Version).To(Equal("6.1.4-1"))
	g.Expect(image.Notes).To(Equal([]string{"debian/trixie could not be searched: " +
		"no mirror gives dists/trixie/InRelease; name others with --mirror or FINWAIT_MIRRORS: " +
		f.server.URL + "/debian: it answered 503 Service Unavailable"}))
	g.Expect(notices).To(Equal(image.Notes))

	image, err = a.Resolve(t.Context(), versionRef("6.1.4-1"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Notes).To(BeEmpty(), "no other suite can have a newer one of that")
}

func TestSuites(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "bullseye", "", single("5.10.0-9", "5.10.70-1")...)
	f.publish("/debian", "sid", "", split("7.2.13+deb14", "7.2.13-1")...)
	a := f.archive()
	_, err := a.Resolve(t.Context(), suiteRef("sid"))
	g.Expect(err).NotTo(HaveOccurred())
	downloads := f.requests(".deb")

	suites, err := a.Suites(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	found := make(map[string]Suite)
	for _, s := range suites {
		found[s.Name] = s
	}
	g.Expect(found).To(HaveLen(len(knownSuites)))
	g.Expect(found["bullseye"]).To(Equal(Suite{Name: "bullseye", Release: "5.10.0-9-cloud-amd64", Version: "5.10.70-1"}))
	g.Expect(found["sid"]).To(Equal(Suite{Name: "sid", Release: "7.2.13+deb14-cloud-amd64", Version: "7.2.13-1", Cached: true}))
	g.Expect(found["trixie"].Err).To(MatchError(ContainSubstring("no mirror has debian/trixie")))
	g.Expect(f.requests(".deb")).To(Equal(downloads), "no kernel is downloaded")
}

func TestBetween(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	for _, suite := range knownSuites {
		f.publish("/debian", suite, "")
	}
	f.publish("/debian", "bookworm", "", append(single("6.1.0-9", "6.1.9-1"), single("6.1.0-10", "6.1.10-1")...)...)
	f.publish("/debian-security", "bookworm-security", "", single("6.1.0-10", "6.1.10-1")...)
	f.publish("/debian", "experimental", "", split("7.3", "7.3~rc7-1~exp1")...)
	var torn []fakePackage
	for _, p := range split("7.2.13+deb14", "7.2.13-1") {
		if !strings.HasPrefix(p.name, "linux-base-") {
			torn = append(torn, p)
		}
	}
	f.publish("/debian", "sid", "", torn...)
	const inRelease = "/debian/dists/trixie/InRelease"
	f.special[inRelease] = func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
	}

	for _, ends := range [][2]string{{"6.1.9-1", "7.3~rc7-1~exp1"}, {"7.3~rc7-1~exp1", "6.1.9-1"}} {
		versions, notes, err := f.archive().Between(t.Context(), kernel.AMD64, ends[0], ends[1])
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(versions).To(Equal([]string{"6.1.9-1", "6.1.10-1", "7.3~rc7-1~exp1"}))
		g.Expect(notes).To(ConsistOf(
			HavePrefix("debian/trixie could not be searched: "),
			"left out, because no suite has all of their packages: 7.2.13-1",
		))
	}
	versions, _, err := f.archive().Between(t.Context(), kernel.AMD64, "6.1.9-1", "6.1.10-1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(versions).To(Equal([]string{"6.1.9-1", "6.1.10-1"}))
	_, _, err = f.archive().Between(t.Context(), kernel.AMD64, "6.1.9-1", "6.1.11-1")
	g.Expect(err).To(MatchError(ContainSubstring("no suite of Debian has a cloud kernel of version 6.1.11-1")))
	g.Expect(f.requests(".deb")).To(Equal(0), "no kernel is downloaded")
}

func TestMirrorsOutOfReach(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	var notices []string
	a.Notice = func(line string) { notices = append(notices, line) }
	image, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(notices).To(BeEmpty())

	f.server.Close()
	old := time.Now().Add(-73 * time.Hour)
	g.Expect(os.Chtimes(filepath.Join(a.cache, "debian/releases/trixie"), old, old)).To(Succeed())
	again, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.Vmlinuz).To(Equal(image.Vmlinuz))
	g.Expect(again.Notes).To(Equal([]string{"no mirror of debian/trixie can be reached, its index fetched 3 days ago is used"}))
	g.Expect(notices).To(Equal(again.Notes))

	_, err = a.Resolve(t.Context(), suiteRef("bullseye"))
	g.Expect(err).To(MatchError(SatisfyAll(
		ContainSubstring("no mirror gives dists/bullseye/InRelease"),
		ContainSubstring(f.server.URL),
		ContainSubstring("connection refused"),
		ContainSubstring("FINWAIT_MIRRORS"),
	)))
}

func TestCacheDoesNotStandInForABadMirror(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	_, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).NotTo(HaveOccurred())

	f.flip("/debian/dists/trixie/InRelease")
	a.Mirrors = append(a.Mirrors, "http://127.0.0.1:1/debian")
	_, err = a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).To(MatchError(SatisfyAll(
		ContainSubstring(f.server.URL+"/debian: "),
		ContainSubstring("http://127.0.0.1:1/debian: "),
	)))
}

func TestProgress(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	last := make(map[string]Progress)
	a.Progress = func(p Progress) {
		key := fmt.Sprint(p.Step, " ", p.File)
		if p.Done < last[key].Done {
			t.Errorf("%v goes back to %v", last[key], p)
		}
		last[key] = p
	}
	_, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).NotTo(HaveOccurred())
	const deb = "linux-image-6.12.1-cloud-amd64_6.12.1-1_amd64.deb"
	size := int64(len(f.files[f.path(deb)]))
	index := int64(len(f.files[f.path("by-hash")]))
	g.Expect(last).To(Equal(map[string]Progress{
		"download trixie/main/binary-amd64/Packages.xz": {Download, "trixie/main/binary-amd64/Packages.xz", index, index},
		"download " + deb: {Download, deb, size, size},
		"unpack " + deb:   {Unpack, deb, size, size},
	}))
}

func TestCancelledDownload(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	ctx, cancel := context.WithCancel(t.Context())
	f.special[f.path("6.12.1-cloud-amd64_")] = func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(arMagic))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}
	_, err := a.Resolve(ctx, suiteRef("trixie"))
	g.Expect(err).To(MatchError(context.Canceled))
	noKernel(t, a)
}

func TestOtherReferences(t *testing.T) {
	t.Parallel()
	_, err := new(Archive).Resolve(t.Context(), kernel.Reference{Origin: kernel.Host})
	NewWithT(t).Expect(err).To(MatchError(`"host" names no kernel of Debian`))
}

func TestResolveForAnotherArchitecture(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "bookworm", "", single("6.1.0-9", "6.1.9-1")...)
	f.arch = kernel.ARM64
	f.publish("/debian", "trixie", "", forARM64(single("6.12.1", "6.12.1-1"))...)
	a := f.archive()
	arm64 := func(suite string) kernel.Reference {
		return kernel.Reference{Origin: kernel.DebianSuite, Name: suite, Arch: kernel.ARM64}
	}
	image, err := a.Resolve(t.Context(), arm64("trixie"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Source).To(Equal("debian/trixie:arm64"))
	g.Expect(image.Arch).To(Equal(kernel.ARM64))
	g.Expect(image.Release).To(Equal("6.12.1-cloud-arm64"))

	_, err = a.Resolve(t.Context(), arm64("bookworm"))
	g.Expect(err).To(MatchError(ContainSubstring("debian/bookworm has no packages for arm64: its index does not list main/binary-arm64/Packages.xz")))
}
