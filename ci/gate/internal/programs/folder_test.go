package programs

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
)

// role makes the test binary a gate that has made its folder, and is to be killed.
const role = "FINWAIT_PROGRAMS_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		f, err := newFolder()
		if err == nil {
			err = os.WriteFile(filepath.Join(f.path, "suite"), nil, 0o600)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(f.path)
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestWhatAKilledGateLeft(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("TMPDIR", t.TempDir())
	gate := exec.Command("/proc/self/exe")
	gate.Env = append(os.Environ(), role+"=gate")
	_, err := gate.StdinPipe()
	g.Expect(err).NotTo(HaveOccurred())
	out, err := gate.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(gate.Start()).To(Succeed())
	t.Cleanup(func() { _ = gate.Process.Kill() })
	lines := bufio.NewScanner(out)
	g.Expect(lines.Scan()).To(BeTrue())
	left := lines.Text()
	another := func() {
		f, err := newFolder()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(f.path).To(BeADirectory())
		f.remove()
		g.Expect(f.path).NotTo(BeAnExistingFile())
	}

	another()
	g.Expect(filepath.Join(left, "suite")).To(BeAnExistingFile(), "it is still used")
	g.Expect(gate.Process.Kill()).To(Succeed())
	g.Expect(gate.Wait()).NotTo(Succeed())
	g.Expect(filepath.Join(left, "suite")).To(BeAnExistingFile(), "nobody could remove it")
	another()
	g.Expect(left).NotTo(BeAnExistingFile())
}

func TestWhatIsNotALeftFolderStays(t *testing.T) {
	g := NewWithT(t)
	temporary, elsewhere := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, name := range []string{"finwait-server-1", "finwait-programs"} {
		g.Expect(os.Mkdir(filepath.Join(temporary, name), 0o700)).To(Succeed())
	}
	g.Expect(os.WriteFile(filepath.Join(temporary, "finwait-programs-file"), nil, 0o600)).To(Succeed())
	g.Expect(os.Symlink(elsewhere, filepath.Join(temporary, "finwait-programs-link"))).To(Succeed())
	want := 4
	if os.Geteuid() == 0 {
		others := filepath.Join(temporary, "finwait-programs-others")
		g.Expect(os.Mkdir(others, 0o777)).To(Succeed())
		g.Expect(os.Chown(others, 65534, 65534)).To(Succeed())
		want++
	}
	removeLeft()
	g.Expect(os.ReadDir(temporary)).To(HaveLen(want))
	g.Expect(elsewhere).To(BeADirectory())
}

// Gates that begin at the same time find each other's folders before those are locked.
func TestGatesBeginAtOnce(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var gates sync.WaitGroup
	for range 8 {
		gates.Go(func() {
			for range 200 {
				f, err := newFolder()
				if err != nil {
					t.Error(err)
					return
				}
				removeLeft()
				if err := os.WriteFile(filepath.Join(f.path, "suite"), nil, 0o600); err != nil {
					t.Errorf("its folder was removed while it was held: %v", err)
				}
				f.remove()
			}
		})
	}
	gates.Wait()
	NewWithT(t).Expect(os.ReadDir(os.TempDir())).To(BeEmpty())
}
