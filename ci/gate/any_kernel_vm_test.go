//go:build vm

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/kernel/debian"
	"github.com/finwait/finwait/harness/report"
)

// TestAnyKernel plays the case on one kernel of Debian, however it is named: as what
// the archive has, as packages, unpacked, as a file, and as what was built. The records
// tell the same.
func TestAnyKernel(t *testing.T) {
	archive := &debian.Archive{}
	image, err := archive.Resolve(t.Context(), kernel.Reference{Origin: kernel.DebianSuite, Name: "bullseye", Arch: kernel.AMD64})
	if err != nil {
		t.Fatal(err)
	}
	root := unpackedAgain(t, image)
	want := playCase(t, "debian/bullseye")
	for name, form := range map[string]string{
		"packages": "deb:" + strings.Join(packagesOf(t, root), ","),
		"unpacked": "dir:" + root,
		"a file":   fmt.Sprintf("image:%s,modules=%s", image.Vmlinuz, image.Modules),
		"a build":  "build:" + buildOf(t, image),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "packages" {
				t.Setenv("XDG_CACHE_HOME", t.TempDir()) // they are made anew each time
			}
			got := playCase(t, form)
			if got.Kernel.Release != want.Kernel.Release || got.Kernel.Arch != string(kernel.AMD64) {
				t.Errorf("it is %+v", got.Kernel)
			}
			if unvouched := strings.Join(got.Kernel.Notes, "\n"); name == "packages" && strings.Count(unvouched, "no signed index vouches for") != 2 {
				t.Errorf("its notes are %q", unvouched)
			}
			if len(got.Scenarios) != len(want.Scenarios) {
				t.Fatalf("%d scenarios, want %d", len(got.Scenarios), len(want.Scenarios))
			}
			for i, s := range want.Scenarios {
				if other := got.Scenarios[i]; essence(t, s) != essence(t, other) {
					t.Errorf("it is\n%s\nwant\n%s", essence(t, other), essence(t, s))
				}
			}
		})
	}
}

// playCase plays what finwait was made for on a kernel that is without the change.
func playCase(t *testing.T, arg string) *report.Record {
	t.Helper()
	out := t.TempDir()
	status, stdout, stderr := gate(t, "run", "--label-filter", "overtaken-fin && server-shutdown && ipv4 && !race && !wire", "--out", out, arg)
	if status != exitNoRegression {
		t.Fatalf("%s: it exits %d\n%s%s", arg, status, stdout, stderr)
	}
	path := filepath.Join(out, folderFor(arg), "record.json")
	if dropped := expect(t, path, isDropped); !slices.Contains(dropped, "overtaken-fin/server-shutdown/ipv4") {
		t.Errorf("%s: the case was not played, only %s", arg, dropped)
	}
	record, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// unpackedAgain lays a kernel out as its package does.
func unpackedAgain(t *testing.T, image kernel.Image) (root string) {
	t.Helper()
	root = t.TempDir()
	modules := filepath.Join(root, "lib", "modules")
	copyAll(t, image.Modules, filepath.Join(modules, image.Release))
	copyAll(t, image.Vmlinuz, filepath.Join(root, "boot", "vmlinuz-"+image.Release))
	copyAll(t, configOf(image), filepath.Join(root, "boot", "config-"+image.Release))
	return root
}

// configOf is where the cache has a kernel's configuration.
func configOf(image kernel.Image) string { return filepath.Join(filepath.Dir(image.Vmlinuz), "config") }

// packagesOf makes two packages of what is below a root, the kernel and its modules, by
// Debian's own tool, compressed as Ubuntu does.
func packagesOf(t *testing.T, root string) (paths []string) {
	t.Helper()
	for _, part := range []string{"boot", "lib"} {
		folder := t.TempDir()
		copyAll(t, filepath.Join(root, part), filepath.Join(folder, part))
		control := fmt.Sprintf("Package: linux-%s\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@example.org>\nDescription: a part of a kernel\n", part)
		write(t, filepath.Join(folder, "DEBIAN", "control"), control)
		path := filepath.Join(t.TempDir(), part+".deb")
		if said, err := exec.Command("dpkg-deb", "--build", "-Zzstd", "-z1", folder, path).CombinedOutput(); err != nil {
			t.Fatalf("dpkg-deb: %v: %s", err, said)
		}
		paths = append(paths, path)
	}
	return paths
}

// buildOf lays a kernel out as the tree in which it was built.
func buildOf(t *testing.T, image kernel.Image) (tree string) {
	t.Helper()
	tree = t.TempDir()
	copyAll(t, configOf(image), filepath.Join(tree, ".config"))
	copyAll(t, image.Vmlinuz, filepath.Join(tree, "arch", "x86", "boot", "bzImage"))
	write(t, filepath.Join(tree, kernel.BuiltRelease), image.Release+"\n")
	for _, list := range []string{"modules.builtin", "modules.order"} {
		copyAll(t, filepath.Join(image.Modules, list), filepath.Join(tree, list))
	}
	for _, part := range []string{"drivers", "lib", "net"} {
		copyAll(t, filepath.Join(image.Modules, "kernel", part), filepath.Join(tree, part))
	}
	return tree
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, said)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestARM64 is what finwait was made for on arm64: the kernels do what they do on
// amd64. The old one is named by its version, as the newest of bullseye's security
// updates is not on every mirror.
func TestARM64(t *testing.T) {
	out := t.TempDir()
	const old, candidate = "debian/5.10.223-1:arm64", "debian/trixie:arm64"
	status, stdout, stderr := gate(t, "run", "--label-filter", "overtaken-fin && ipv4 && !race && !wire", "--baseline", old, "--out", out, candidate)
	expectNoRegression(t, status, out, stdout, stderr)
	dropped := expect(t, filepath.Join(out, folderFor(old), "record.json"), isDropped)
	expect(t, filepath.Join(out, folderFor(candidate), "record.json"), func(string) bool { return false })
	if !slices.Contains(dropped, "overtaken-fin/server-shutdown/ipv4") {
		t.Errorf("the case was not played, only %s", dropped)
	}
	if got := changedTo(t, out, report.Improved); !slices.Equal(got, dropped) {
		t.Errorf("what is listed as improved is not %s, but %s", dropped, got)
	}
	t.Log(strings.Join(slices.DeleteFunc(strings.Split(stdout, "\n"), func(line string) bool { return !strings.Contains(line, "the first spec after") }), "\n"))
}
