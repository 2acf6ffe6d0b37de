package luggage

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// ldconfig(8) reads the cache, and ld.so(8) finds every name in it, as names are ordered.
func TestCache(t *testing.T) {
	g := NewWithT(t)
	names := []string{"libb.so.10", "liba.so", "libb.so.9", "libb.so.010", "lib.so", "libb", "libb.so.9.1", "libB.so"}
	var libraries []library
	for _, name := range names {
		libraries = append(libraries, library{name, "/opt/" + name, amd64})
	}
	libraries = append(libraries, library{"liba.so", "/not/the/first", amd64})
	file := encodeCache(libraries)
	path := filepath.Join(t.TempDir(), "ld.so.cache")
	g.Expect(os.WriteFile(path, file, 0o644)).To(Succeed())
	ldconfig, err := exec.LookPath("/sbin/ldconfig")
	if err != nil {
		t.Skip(err)
	}
	out, err := exec.Command(ldconfig, "-p", "-C", path).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
	g.Expect(string(out)).To(HavePrefix("8 libs found in cache "))
	for _, name := range names {
		g.Expect(string(out)).To(ContainSubstring("\t" + name + " (libc6,x86-64) => /opt/" + name + "\n"))
	}
}

// The order is that of glibc's _dl_cache_libcmp.
func TestCompareNames(t *testing.T) {
	ordered := []string{"", "lib", "lib.so", "lib.so.", "lib.so.2", "lib.so.2.1", "lib.so.10", "lib1.so"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := compareNames(a, b), cmp.Compare(i, j); got != want {
				t.Errorf("%q and %q: got %d, want %d", a, b, got, want)
			}
		}
	}
	NewWithT(t).Expect(compareNames("lib.so.010", "lib.so.10")).To(BeZero())
}
