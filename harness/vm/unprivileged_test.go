package vm

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

func TestMayUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kvm")
	NewWithT(t).Expect(os.WriteFile(file, nil, 0o600)).To(Succeed())
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	for name, c := range map[string]struct {
		mode os.FileMode
		who  syscall.Credential
		want bool
	}{
		"the owner":                   {0o600, syscall.Credential{Uid: uid, Gid: gid + 1}, true},
		"the owner, who may not":      {0o066, syscall.Credential{Uid: uid, Gid: gid}, false},
		"the group":                   {0o660, syscall.Credential{Uid: uid + 1, Gid: gid}, true},
		"one more group":              {0o660, syscall.Credential{Uid: uid + 1, Gid: gid + 1, Groups: []uint32{gid}}, true},
		"the group, which may not":    {0o606, syscall.Credential{Uid: uid + 1, Gid: gid}, false},
		"the group, which only reads": {0o640, syscall.Credential{Uid: uid + 1, Gid: gid}, false},
		"others":                      {0o666, syscall.Credential{Uid: uid + 1, Gid: gid + 1}, true},
		"others, who may not":         {0o660, syscall.Credential{Uid: uid + 1, Gid: gid + 1}, false},
		"others, who only write":      {0o662, syscall.Credential{Uid: uid + 1, Gid: gid + 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(os.Chmod(file, c.mode)).To(Succeed())
			g.Expect(mayUse(&c.who, file)).To(Equal(c.want))
		})
	}
	NewWithT(t).Expect(mayUse(&syscall.Credential{Uid: uid}, file+"x")).To(BeFalse())
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
