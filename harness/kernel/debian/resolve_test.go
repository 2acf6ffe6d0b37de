package debian

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
		fmt.Sprintf("Suite: stable\nCodename: trixie\nVersion: 13.1\nSHA256:\n %s %d main/binary-amd64/Packages.xz\n",
			filepath.Base(trixie), len(f.files[trixie])), f.key)
	f.files["/debian/dists/stable/main/binary-amd64/Packages.xz"] = f.files[trixie]

	image, err := f.archive().Resolve(t.Context(), suiteRef("stable"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Version).To(Equal("6.12.2-1"), "the updates go by the codename")
}

func TestMissingSecurityUpdatesAreANotice(t *testing.T) {
	t.Parallel()
	for suite, want := range map[string]string{
		"bookworm": "debian/bookworm: no mirror has bookworm-security, its kernel may lack security updates",
		"sid":      "",
	} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			f := newFakeArchive(t)
			fields := "Version: 12.1\n"
			if suite == "sid" {
				fields = ""
			}
			f.publish("/debian", suite, fields, single("6.1.0-1", "6.1.4-1")...)
			a := f.archive()
			var notices []string
			a.Notice = func(line string) { notices = append(notices, line) }
			_, err := a.Resolve(t.Context(), suiteRef(suite))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(strings.Join(notices, "\n")).To(Equal(want))
		})
	}
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
			a.Cache = t.TempDir()
			a.Mirrors = nil
			a.root = machine
			var notices []string
			a.Notice = func(line string) { notices = append(notices, line) }
			image, err := a.Resolve(t.Context(), suiteRef("sid"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(image.Version).To(Equal("6.1.4-1"))
			g.Expect(notices).To(ConsistOf(ContainSubstring("the index was valid until")))
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
	for ask, near := range map[string][]string{
		"6.1.5-1": {"6.1.4-1", "6.1.7-1", "6.1.7-2", "7.2.13-1"},
		"6.1.7-3": {"6.1.4-1", "6.1.7-1", "6.1.7-2", "7.2.13-1"},
		"8.0":     {"6.1.4-1", "6.1.7-1", "6.1.7-2", "7.2.13-1"},
	} {
		t.Run(ask, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			_, err := a.Resolve(t.Context(), versionRef(ask))
			var unknown *UnknownVersionError
			g.Expect(errors.As(err, &unknown)).To(BeTrue(), "%v", err)
			g.Expect(unknown.Near).To(Equal(near))
			g.Expect(err).To(MatchError(ContainSubstring("versions near it: " + strings.Join(near, " "))))
			g.Expect(err).To(MatchError(ContainSubstring("debian/trixie could not be searched: no mirror has debian/trixie")))
		})
	}
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
	g.Expect(os.Chtimes(filepath.Join(a.Cache, "debian/releases/trixie"), old, old)).To(Succeed())
	again, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(image))
	g.Expect(notices).To(ConsistOf("debian/trixie: no mirror can be reached, using the index fetched 3 days ago"))

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

func TestProcessesShareTheCache(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	cache := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		a := f.archive()
		a.Cache = cache
		all.Go(func() {
			image, err := a.Resolve(t.Context(), suiteRef("trixie"))
			if err != nil || read(t, image.Vmlinuz) != "kernel 6.12.1-1" {
				t.Errorf("got %v, %v", image, err)
			}
		})
	}
	all.Wait()
	g.Expect(f.requests(".deb")).To(Equal(1))
	g.Expect(f.requests("by-hash")).To(Equal(1))
	a := f.archive()
	a.Cache = cache
	finished(t, a)
}

func TestRemainsOfAKilledProcessAreReplaced(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	image, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).NotTo(HaveOccurred())
	folder := filepath.Dir(image.Vmlinuz)
	g.Expect(os.Rename(folder, folder+".partial")).To(Succeed())
	g.Expect(os.WriteFile(folder+".partial/lib/modules/old", nil, 0o644)).To(Succeed())
	g.Expect(os.WriteFile(folder+".lock", nil, 0o644)).To(Succeed())

	again, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(image))
	finished(t, a)
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

func TestCancelledWaitForAnotherProcess(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "kernel")
	building, finish := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- produce(t.Context(), path, func(string) error {
			close(building)
			<-finish
			return nil
		})
	}()
	<-building
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := produce(ctx, path, func(string) error {
		t.Error("two build at once")
		return nil
	})
	g.Expect(err).To(MatchError(context.Canceled))
	close(finish)
	g.Expect(<-first).To(Succeed())
	g.Expect(path).To(BeADirectory())
}

func TestOtherReferences(t *testing.T) {
	t.Parallel()
	_, err := new(Archive).Resolve(t.Context(), kernel.Reference{Origin: kernel.Host})
	NewWithT(t).Expect(err).To(MatchError(`"host" names no kernel of Debian`))
}
