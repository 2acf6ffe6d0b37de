package debian

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
)

func TestProcessesShareTheCache(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	cache := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		a := f.archive()
		a.cache = cache
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
	a.cache = cache
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

func TestCancelledWorkLeavesNothing(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		err := produce(ctx, filepath.Join(folder, "kernel"), func(string) error { return ctx.Err() })
		g.Expect(err).To(MatchError(context.Canceled))
		g.Expect(os.ReadDir(folder)).To(BeEmpty())
	}
}

// One who waits for a lock file that its holder removes must not take it for the
// lock: somebody else would make the file anew and have the lock as well.
func TestLockFileIsRemovedWhileAnotherWaits(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	g.Expect(err).NotTo(HaveOccurred())
	waited := make(chan func())
	go func() {
		unlock, err := lock(t.Context(), path)
		if err != nil {
			t.Error(err)
		}
		waited <- unlock
	}()
	g.Eventually(func() int { return descriptors(path) }).Should(Equal(2), "the second one has opened the file")
	unlock()
	unlock = <-waited
	g.Expect(path).To(BeARegularFile(), "the second one holds it")
	unlock()
	g.Expect(path).NotTo(BeAnExistingFile())
}

// descriptors counts those of this process that are open on a file.
func descriptors(path string) int {
	n := 0
	all, _ := filepath.Glob("/proc/self/fd/*")
	for _, descriptor := range all {
		if target, _ := os.Readlink(descriptor); target == path {
			n++
		}
	}
	return n
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
	var local *folderError
	g.Expect(errors.As(err, &local)).To(BeTrue())
	g.Expect(local.folder).To(HaveSuffix("/debian/kernels"))
	g.Expect(local.folder).To(BeADirectory())
	g.Expect(err.Error()).NotTo(ContainSubstring("FINWAIT_MIRRORS"))
	g.Expect(err.Error()).NotTo(ContainSubstring(partialSuffix), "that is gone")
	g.Expect(f.requests("/other/pool")).To(BeZero())
	noKernel(t, a)
}

// It changes the environment, so it cannot be parallel.
func TestNoCacheFolder(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	a.cache = ""
	_, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).To(MatchError(SatisfyAll(
		HavePrefix("no folder to keep kernels in: "),
		HaveSuffix(": set HOME or XDG_CACHE_HOME to a folder"),
	)))
	g.Expect(f.requests("")).To(BeZero())
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := newFakeArchive(t)
	f.publish("/debian", "trixie", "", single("6.12.1", "6.12.1-1")...)
	a := f.archive()
	a.cache = filepath.Join(a.cache, "file")
	g.Expect(os.WriteFile(a.cache, nil, 0o644)).To(Succeed())
	_, err := a.Resolve(t.Context(), suiteRef("trixie"))
	g.Expect(err).To(MatchError(HaveSuffix("can't write to " + a.cache +
		"/debian/releases: not a directory; make it writable or set XDG_CACHE_HOME to another folder")))
}
