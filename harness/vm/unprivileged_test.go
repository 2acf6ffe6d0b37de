package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// openFolder is a temporary folder that is everybody's, as QEMU is not run as root.
func openFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for path, mode := range map[string]os.FileMode{folder: 0o777, filepath.Dir(folder): 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestQEMUIsNotRoot(t *testing.T) {
	if confined() == nil {
		t.Skip("not run by a root that may become another user")
	}
	g := NewWithT(t)
	whom := filepath.Join(openFolder(t), "whom")
	pretendQEMU(t, `{ id -u; id -g; id -G; cat /proc/self/fd/7 | wc -c; } >`+whom+`;`+saysReady+saysExit)
	device := kvmDevice
	kvmDevice = filepath.Join(t.TempDir(), "kvm")
	t.Cleanup(func() { kvmDevice = device })
	g.Expect(os.WriteFile(kvmDevice, nil, 0o600)).To(Succeed())
	g.Expect(os.Chown(kvmDevice, 0, 4711)).To(Succeed())
	payload, _ := files(t)

	_, _, err := run(t, endless(t), payload)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.ReadFile(whom)).To(BeEquivalentTo("65534\n65534\n65534 4711\n1048576\n"))
}

func TestQEMUThatOnlyRootMayStart(t *testing.T) {
	if confined() == nil {
		t.Skip("not run by a root that may become another user")
	}
	g := NewWithT(t)
	pretendQEMU(t, saysReady+saysExit)
	program, _, _ := strings.Cut(os.Getenv("PATH"), ":")
	g.Expect(os.Chmod(program, 0o700)).To(Succeed())
	payload, _ := files(t)
	_, _, err := run(t, endless(t), payload)
	g.Expect(err).To(failFor(Refused))
	g.Expect(err).To(MatchError(ContainSubstring("permission denied: it is not run as root but as user 65534, who has to be allowed to")))
}
