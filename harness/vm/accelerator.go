package vm

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
)

// An Accelerator is what carries out the guest's instructions.
type Accelerator string

const (
	// TCG is QEMU's own translator of them. The virtual clock needs it.
	TCG Accelerator = "tcg"
	// KVM is the host's processor. That there is a /dev/kvm does not prove that it
	// works: there are hosts on which it hangs every guest.
	KVM Accelerator = "kvm"
)

// kvmDevice is what QEMU opens; tests have another.
var kvmDevice = "/dev/kvm"

// proofTime is how much of the host's time a guest gets to show that KVM works, by
// living from boot to power-off. It takes about a second where it does.
const proofTime = 15 * time.Second

// chooseAccelerator is KVM for the real clock where it has been proven to work, on
// this host with this kernel; else TCG. The proof is a guest's whole life, and what
// it came to is remembered.
func (m Machine) chooseAccelerator(ctx context.Context, program, init string) (Accelerator, error) {
	if m.clock() == Virtual || m.arch() != kernel.Native() {
		return TCG, nil
	}
	device, err := os.OpenFile(kvmDevice, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return TCG, nil
	}
	if err != nil {
		m.notice("%s runs without KVM: %v", m.name(), err)
		return TCG, nil
	}
	device.Close()
	if who := confined(); who != nil && !mayUse(who, kvmDevice) {
		m.notice("%s runs without KVM: QEMU runs as nobody, who may not open %s", m.name(), kvmDevice)
		return TCG, nil
	}
	path, err := m.proofPath(program)
	if err != nil {
		return "", err
	}
	known, found := readProof(path)
	if !found {
		if known, err = m.proveKVM(ctx, program, init); err != nil {
			return "", err
		}
		if ctx.Err() != nil {
			return "", m.failure(Stopped, context.Cause(ctx))
		}
		if err := writeProof(path, known); err != nil {
			m.notice("%s: whether KVM works cannot be remembered: %s", m.name(), oneLine(err))
		}
	}
	if !known.Works {
		m.notice("%s runs without KVM, which did not work here%s: %s", m.name(), rememberedIn(path), known.Why)
		return TCG, nil
	}
	return KVM, nil
}

// A proof is what it came to, and why.
type proof struct {
	Works bool      `json:"works"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at"`
}

// failureHolds is how long it is remembered that KVM did not work: it may have been
// for want of time, or of something else that comes back.
const failureHolds = 24 * time.Hour

func rememberedIn(path string) string {
	if path == "" {
		return ""
	}
	return fmt.Sprintf(" (it is tried again in %v at the latest, or without %s)", failureHolds, path)
}

// proveKVM boots a guest that has nothing to do but to power off. The error says that
// there was no such guest.
func (m Machine) proveKVM(ctx context.Context, program, init string) (proof, error) {
	m.notice("%s: KVM has to prove that it works, within %v", m.name(), proofTime)
	guest := Machine{
		Kernel: m.Kernel, Clock: Real, CPUs: m.CPUs, MemoryMiB: m.MemoryMiB,
		BootDeadline: proofTime, Patience: proofTime, accelerator: KVM,
	}
	modules, err := guest.loadOrder()
	if err != nil {
		return proof{}, err
	}
	parts, err := guest.prepare(program, Payload{Init: init}, modules)
	if err != nil {
		return proof{}, fmt.Errorf("boot %s: %w", m.name(), err)
	}
	defer parts.close()
	_, err = guest.boot(ctx, parts, func([]byte) {})
	var failed *Error
	switch {
	case errors.As(err, &failed):
		return proof{Why: fmt.Sprintf("%s: %s", failed.Reason, oneLine(failed.Err)), At: time.Now()}, nil
	case err != nil:
		return proof{}, err
	}
	return proof{Works: true, At: time.Now()}, nil
}

// proofPath is where a proof is remembered. It holds for the host's processor and
// kernel, QEMU, and the guest's kernel. It is empty where nothing is remembered.
func (m Machine) proofPath(program string) (string, error) {
	if m.Cache == "" {
		return "", nil
	}
	host, err := hostRelease()
	if err != nil {
		return "", err
	}
	qemu, err := qemuVersion(program)
	if err != nil {
		return "", err
	}
	kernel, err := digestOf(m.Kernel.Vmlinuz)
	if err != nil {
		return "", err
	}
	holdsFor := []string{processor(), host, qemu, kernel, fmt.Sprint(m.CPUs, m.MemoryMiB)}
	sum := sha256.Sum256([]byte(strings.Join(holdsFor, "\n")))
	return filepath.Join(m.Cache, fmt.Sprintf("%s_%x.kvm.json", fileName(m.Kernel.Release), sum[:8])), nil
}

// hostRelease is the host's kernel's.
func hostRelease() (string, error) {
	var host unix.Utsname
	if err := unix.Uname(&host); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(host.Release[:]), nil
}

// processor names the host's; nothing where the kernel does not tell.
func processor() string {
	info, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer info.Close()
	lines := bufio.NewScanner(info)
	for lines.Scan() {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// readProof reads what was remembered. What cannot be read has to be proven again.
func readProof(path string) (proof, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return proof{}, false
	}
	var p proof
	if json.Unmarshal(text, &p) != nil || !p.Works && time.Since(p.At) > failureHolds {
		return proof{}, false
	}
	return p, true
}

func writeProof(path string, p proof) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	// A reader that comes in between finds no JSON, and proves it again.
	return os.WriteFile(path, text, 0o644)
}
