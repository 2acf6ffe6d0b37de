package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// A FIFO is refused, and nobody waits for what will be written to it.
func TestAFIFOIsNotAFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		read func(folder, path string) error
	}{
		"a kernel":           {"vmlinuz", func(_, path string) error { _, err := Identify(path); return err }},
		"a kernel's release": {"vmlinuz", func(_, path string) error { _, err := ReleaseOf(path); return err }},
		"a configuration":    {".config", func(_, path string) error { _, err := ReadConfig(path); return err }},
		"what is built in":   {"modules.builtin", func(folder, _ string) error { _, err := builtinModules(folder); return err }},
		"what was built":     {"modules.order", func(folder, _ string) error { _, err := builtFiles(folder); return err }},
		"a built release":    {BuiltRelease, func(folder, _ string) error { _, err := ReadBuiltRelease(folder); return err }},
		"a module":           {"veth.ko", func(_, path string) error { _, err := Module{Name: "veth", Path: path}.Read(); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			folder := t.TempDir()
			path := filepath.Join(folder, c.file)
			g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
			g.Expect(unix.Mkfifo(path, 0o600)).To(Succeed())
			read := make(chan error, 1)
			go func() { read <- c.read(folder, path) }()
			// A writer that comes is one that the reader waits for: then it has to end.
			var err error
			g.Eventually(func() bool {
				select {
				case err = <-read:
					return true
				default:
					if fd, open := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK, 0); open == nil {
						unix.Close(fd)
					}
					return false
				}
			}).Should(BeTrue())
			g.Expect(err).To(MatchError(HaveSuffix(path + ": it is not a file")))
			g.Expect(errors.Is(err, ErrNotAFile)).To(BeTrue())
		})
	}
}
