package vm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

func TestConfiguration(t *testing.T) {
	g := NewWithT(t)
	const config = "CONFIG_IKCONFIG=y\n"
	image := make([]byte, 5000)
	copy(image[0x38:], "ARM\x64")
	image = append(append(append(image, "IKCFG_ST"...), zip([]byte(config))...), "IKCFG_ED and the rest of the kernel"...)
	path := filepath.Join(t.TempDir(), "Image.gz")
	g.Expect(os.WriteFile(path, zip(image), 0o644)).To(Succeed())
	g.Expect(Configuration(kernel.Image{Arch: kernel.ARM64, Vmlinuz: path})).To(Equal(config))
	_, err := Configuration(kernel.Image{Arch: kernel.ARM64, Vmlinuz: path + "x"})
	g.Expect(err).To(MatchError(os.ErrNotExist))
}

func TestNoConfiguration(t *testing.T) {
	whole := append([]byte("kernel IKCFG_ST"), zip([]byte(strings.Repeat("CONFIG_X=y\n", 9)))...)
	for name, content := range map[string][]byte{
		"none":      []byte("kernel"),
		"not by us": []byte("IKCFG_ST as a text"),
		"cut short": whole[:len(whole)-4],
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(configurationIn(content)).To(BeEmpty())
		})
	}
}

// FuzzConfigurationIn checks that there is one only behind its mark.
func FuzzConfigurationIn(f *testing.F) {
	f.Add(append([]byte("kernel IKCFG_ST"), zip([]byte("CONFIG_X=y\n"))...))
	f.Fuzz(func(t *testing.T, kernel []byte) {
		if configurationIn(kernel) != "" && !bytes.Contains(kernel, []byte("IKCFG_ST\x1f\x8b")) {
			t.Errorf("%q has a configuration", kernel)
		}
	})
}
