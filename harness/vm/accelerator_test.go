package vm

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// A QEMU with which KVM works, or does not, writes a line for each guest that it
// runs by it.
func kvmQEMU(t *testing.T, byKVM string) (ran string) {
	t.Helper()
	ran = filepath.Join(openFolder(t), "ran")
	pretendQEMU(t, `case "$*" in
		--version) echo 'QEMU emulator version 0'; exit;;
		*'-accel kvm'*) echo kvm >>`+ran+`; `+byKVM+`
			;;
		*) `+saysReady+saysExit+`
			;;
	esac`)
	device := kvmDevice
	kvmDevice = filepath.Join(t.TempDir(), "kvm")
	t.Cleanup(func() { kvmDevice = device })
	if err := os.WriteFile(kvmDevice, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(kvmDevice, 0o666); err != nil {
		t.Fatal(err)
	}
	return ran
}

func TestKVMHasToProveItself(t *testing.T) {
	for name, c := range map[string]struct {
		byKVM string
		want  Accelerator
		runs  string // by KVM, in two runs of a machine
		says  OmegaMatcher
	}{
		"works":     {saysReady + saysExit, KVM, "kvm\nkvm\nkvm\n", ConsistOf(ContainSubstring("has to prove that it works"))},
		"faults":    {`echo 'KVM internal error' >&2; exit 1`, TCG, "kvm\n", HaveEach(Or(ContainSubstring("KVM internal error"), ContainSubstring("has to prove")))},
		"half-dead": {saysReady, TCG, "kvm\n", HaveEach(Or(ContainSubstring("the guest ended before"), ContainSubstring("has to prove")))},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			ran := kvmQEMU(t, c.byKVM)
			payload, _ := files(t)
			var notices []string
			m := endless(t)
			m.Clock, m.Cache, m.Cold = Real, t.TempDir(), true
			m.Notice = func(n string) { notices = append(notices, n) }
			for range 2 {
				_, result, err := run(t, m, payload)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(result.Accelerator).To(Equal(c.want))
			}
			g.Expect(os.ReadFile(ran)).To(BeEquivalentTo(c.runs))
			g.Expect(notices).To(c.says)

			m.Clock = Virtual
			_, result, err := run(t, m, payload)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(result.Accelerator).To(Equal(TCG))
		})
	}
}

func TestNoKVM(t *testing.T) {
	g := NewWithT(t)
	ran := kvmQEMU(t, saysReady+saysExit)
	payload, _ := files(t)
	m := endless(t)
	m.Clock = Real
	g.Expect(os.Remove(kvmDevice)).To(Succeed())
	_, result, err := run(t, m, payload)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result.Accelerator).To(Equal(TCG))
	g.Expect(ran).NotTo(BeAnExistingFile())
}

// Where QEMU may not open it, there is nothing to prove, and nothing to remember.
func TestKVMThatOnlyRootMayUse(t *testing.T) {
	if confined() == nil {
		t.Skip("not run by a root that may become another user")
	}
	g := NewWithT(t)
	ran := kvmQEMU(t, saysReady+saysExit)
	g.Expect(os.Chmod(kvmDevice, 0o600)).To(Succeed())
	payload, _ := files(t)
	var notices []string
	m := endless(t)
	m.Clock, m.Cache, m.Cold = Real, t.TempDir(), true
	m.Notice = func(n string) { notices = append(notices, n) }
	_, result, err := run(t, m, payload)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result.Accelerator).To(Equal(TCG))
	g.Expect(ran).NotTo(BeAnExistingFile())
	g.Expect(notices).To(ConsistOf(HaveSuffix(" runs without KVM: QEMU runs as nobody, who may not open " + kvmDevice)))
	g.Expect(os.ReadDir(m.Cache)).To(BeEmpty())
}

// That KVM did not work is not remembered for ever.
func TestKVMIsTriedAgain(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "proof")
	for age, want := range map[time.Duration]bool{time.Hour: true, 25 * time.Hour: false} {
		g.Expect(writeProof(path, proof{Why: "no time", At: time.Now().Add(-age)})).To(Succeed())
		_, found := readProof(path)
		g.Expect(found).To(Equal(want), age.String())
		g.Expect(writeProof(path, proof{Works: true, At: time.Now().Add(-age)})).To(Succeed())
		_, found = readProof(path)
		g.Expect(found).To(BeTrue())
	}
}

// What was remembered in a way that cannot be read is proven again.
func TestKVMForgotten(t *testing.T) {
	g := NewWithT(t)
	ran := kvmQEMU(t, saysReady+saysExit)
	payload, _ := files(t)
	m := endless(t)
	m.Clock, m.Cache, m.Cold = Real, t.TempDir(), true
	for range 2 {
		_, _, err := run(t, m, payload)
		g.Expect(err).NotTo(HaveOccurred())
		remembered, err := filepath.Glob(filepath.Join(m.Cache, "*.kvm.json"))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(remembered).To(HaveLen(1))
		g.Expect(os.WriteFile(remembered[0], []byte(`{"works":`), 0o644)).To(Succeed())
	}
	g.Expect(os.ReadFile(ran)).To(BeEquivalentTo("kvm\nkvm\nkvm\nkvm\n"))
}

// The real clock does what it has to with whatever this host has. The proof is
// bounded, and made once.
func TestRealClock(t *testing.T) {
	g := NewWithT(t)
	payload := build(t)
	m := Machine{Kernel: cachedKernels(t)[0], Clock: Real, Cache: t.TempDir()}
	for i := range 2 {
		begin := time.Now()
		_, result, err := run(t, m, payload.does("report", "3"))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(result.Status).To(Equal(3))
		g.Expect(result.Resumed).To(Equal(i > 0))
		t.Logf("by %s in %v", result.Accelerator, time.Since(begin))
		if i > 0 {
			g.Expect(time.Since(begin)).To(BeNumerically("<", proofTime), "it was proven again")
		}
	}
}
