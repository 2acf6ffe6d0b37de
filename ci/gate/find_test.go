package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// Kernels for two architectures are refused before a mirror is asked; there is none
// here.
func TestKernelsOfTwoArchitecturesAreNotCompared(t *testing.T) {
	t.Parallel()
	image := filepath.Join(t.TempDir(), "Image")
	content := make([]byte, 64)
	copy(content[0x38:], "ARM\x64")
	if err := os.WriteFile(image, content, 0o644); err != nil {
		t.Fatal(err)
	}
	mine, other := "debian/trixie:amd64", "debian/trixie:arm64"
	arm64 := "image:" + image
	for _, args := range [][]string{
		{"run", "--baseline", mine, other},
		{"explore", mine, other},
		{"bisect", "--good", mine, "--bad", other, "overtaken-fin/server-close/ipv4"},
		{"run", "--baseline", mine, arm64},
		{"run", "--baseline", arm64, mine},
	} {
		status, stdout, stderr := gate(t, append(args, "--mirror", "http://127.0.0.1:1/", "--out", t.TempDir())...)
		if strings.Contains(stderr, "there is no QEMU") {
			t.Skip(stderr)
		}
		if status != exitFailed || stdout != "" || !strings.Contains(stderr, "only kernels for one architecture can be compared\n") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("gate %s exits %d, prints %q and says %q", strings.Join(args, " "), status, stdout, stderr)
		}
	}
}

// Kernels that are only set side by side may be for two: what fails is the
// mirror, which is asked when that has been checked.
func TestKernelsOfTwoArchitecturesAreSideBySide(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"run", "behaviours"} {
		status, _, stderr := gate(t, command, "debian/no-such:amd64", "debian/no-such:arm64", "--mirror", "http://127.0.0.1:1/", "--out", t.TempDir())
		if strings.Contains(stderr, "there is no QEMU") {
			t.Skip(stderr)
		}
		if status != exitFailed || !strings.Contains(stderr, "no mirror gives dists/no-such/InRelease") {
			t.Errorf("gate %s exits %d and says %q", command, status, stderr)
		}
	}
}

func TestKernelsWithOneFolderAreRefused(t *testing.T) {
	t.Parallel()
	other := "arm64"
	if kernel.Native() == kernel.ARM64 {
		other = "amd64"
	}
	const self = "debian/trixie"
	for _, c := range []struct {
		baseline string
		args     []string
		folder   string
	}{
		{"", []string{self + ":" + other, self + "-" + other}, "debian-trixie-" + other},
		{self + "-" + other, []string{self + ":" + other}, "debian-trixie-" + other},
		{self, []string{self, self + "-candidate"}, "debian-trixie-candidate"},
		{self, []string{self + "-baseline", self}, "debian-trixie-baseline"},
		{"", []string{self, self + "-candidate"}, ""},
		{self, []string{self + "-candidate"}, ""},
		{self, []string{self, self + ":" + other}, ""},
	} {
		_, err := options{baseline: c.baseline}.references(c.args)
		switch {
		case c.folder == "" && err != nil:
			t.Errorf("%v, compared with %q, are refused: %v", c.args, c.baseline, err)
		case c.folder != "" && (err == nil || !strings.Contains(err.Error(), "would both be in a folder "+c.folder+": ")):
			t.Errorf("%v, compared with %q: it says %v", c.args, c.baseline, err)
		}
	}
}

func TestRecordsOfTwoArchitecturesAreNotCompared(t *testing.T) {
	t.Parallel()
	write := func(arch string) string {
		r := report.New(report.Kernel{Source: "debian/x", Version: "6.1-1", Arch: arch}, "virtual")
		add(t, r, "overtaken-fin/x", teardown.Clean)
		path := filepath.Join(t.TempDir(), "record.json")
		if err := replace(path, jsonOf(r)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old, mine, other := write(""), write("amd64"), write("arm64")
	for _, c := range []struct {
		baseline, candidate string
		want                int
		says                string
	}{
		{old, mine, exitNoRegression, ""},
		{other, other, exitNoRegression, ""},
		{old, other, exitFailed, "debian/x (6.1-1) is a kernel for amd64, and debian/x (6.1-1) for arm64: only records of kernels for one architecture can be compared\n"},
		{other, mine, exitFailed, "only records of kernels for one architecture"},
	} {
		status, stdout, stderr := gate(t, "compare", c.baseline, c.candidate)
		if status != c.want || !strings.Contains(stderr, c.says) {
			t.Errorf("it exits %d, want %d, and says %q\n%s", status, c.want, stderr, stdout)
		}
	}
}

// A kernel that lacks what the suite needs is refused with all of it, and not booted.
func TestWhatAKernelLacksIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	tree := t.TempDir()
	bzImage := make([]byte, 1024)
	bzImage[0x1f1] = 1
	copy(bzImage[0x202:], "HdrS")
	config := "CONFIG_X86_64=y\n"
	for _, need := range suiteNeeds {
		if need.Option != "CONFIG_VETH" {
			config += need.Option + "=y\n"
		}
	}
	for path, content := range map[string]string{
		".config": config, "arch/x86/boot/bzImage": string(bzImage), kernel.BuiltRelease: "6.12.1\n",
	} {
		path = filepath.Join(tree, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	status, stdout, stderr := gate(t, "run", "--out", t.TempDir(), "build:"+tree)
	if status != exitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 {
		t.Errorf("it exits %d, prints %q and says %q", status, stdout, stderr)
	}
	for _, want := range []string{"kernel build:" + tree + " (6.12.1) lacks ", "CONFIG_DEVTMPFS, ", "CONFIG_VIRTIO_CONSOLE, ", "CONFIG_VETH, which the suite needs: set them to y or m"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q: %s", want, stderr)
		}
	}
}

func TestFolderFor(t *testing.T) {
	t.Parallel()
	folders := map[string]string{}
	for source, want := range map[string]string{
		"host": "host", "debian/trixie": "debian-trixie", "debian/6.1~rc1-1+b2": "debian-6.1~rc1-1+b2", "debian/trixie:arm64": "debian-trixie-arm64",
		"dir:/a/b": "dir-b-", "dir:/a-b": "dir-a-b-", "dir:/c/b": "dir-b-", "dir:/": "dir---", "build:.": "build-.-", "deb:a b.deb": "deb-a-b.deb-",
		"image:/boot/vmlinuz,modules=/lib/modules/6.1": "image-6.1-", "dir:" + strings.Repeat("x", 300): "dir-" + strings.Repeat("x", 100) + "-",
	} {
		got := folderFor(source)
		if !strings.HasPrefix(got, want) || folders[got] != "" || strings.ContainsAny(got, `/\:*?"<>| `) || len(got) > 200 {
			t.Errorf("%q is in %q, want %q (%q is, too)", source, got, want, folders[got])
		}
		folders[got] = source
	}
}
