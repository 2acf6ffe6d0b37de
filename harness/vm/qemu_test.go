package vm

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
)

func TestNoQEMU(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("PATH", t.TempDir())
	payload, _ := files(t)
	_, err := endless(t).Run(t.Context(), payload, ignore)
	g.Expect(err).To(failFor(NoQEMU))
	g.Expect(err).To(MatchError(exec.ErrNotFound))
	g.Expect(err).To(MatchError(ContainSubstring("package qemu-system-x86")))
}

func TestNotAKernel(t *testing.T) {
	needQEMU(t)
	g := NewWithT(t)
	t.Setenv("TMPDIR", t.TempDir())
	payload, _ := files(t)
	m := Machine{Kernel: kernel.Image{Vmlinuz: payload.Binary}}
	_, err := m.Run(t.Context(), payload, ignore)
	g.Expect(err).To(failFor(NotAKernel))
	g.Expect(err).To(MatchError(ContainSubstring(payload.Binary)))
	g.Expect(temporaryFiles()).To(BeEmpty())
}

func TestRefused(t *testing.T) {
	needQEMU(t)
	g := NewWithT(t)
	payload, _ := files(t)
	m := endless(t)
	m.MemoryMiB = 1 << 40
	_, err := m.Run(t.Context(), payload, ignore)
	g.Expect(err).To(failFor(Refused))
	g.Expect(err).To(MatchError(And(ContainSubstring("exit status 1"), ContainSubstring("cannot set up guest memory"))))
}

func TestNeverBooted(t *testing.T) {
	needQEMU(t)
	g := NewWithT(t)
	t.Setenv("TMPDIR", t.TempDir())
	payload, _ := files(t)
	m := endless(t)
	m.BootDeadline = 500 * time.Millisecond
	_, err := m.Run(t.Context(), payload, ignore)
	g.Expect(err).To(failFor(NeverBooted))
	g.Expect(err).To(MatchError(ContainSubstring("500ms")))
	expectNothingLeft(t, m)
}

func TestCancelled(t *testing.T) {
	needQEMU(t)
	g := NewWithT(t)
	t.Setenv("TMPDIR", t.TempDir())
	payload, _ := files(t)
	m := endless(t)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := m.Run(ctx, payload, ignore)
	g.Expect(err).To(failFor(Stopped))
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	expectNothingLeft(t, m)
}

// TestKilled kills a process that runs QEMU.
func TestKilled(t *testing.T) {
	needQEMU(t)
	g := NewWithT(t)
	t.Setenv("TMPDIR", t.TempDir())
	m := endless(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), helperKernel+"="+m.Kernel.Vmlinuz)
	out, err := parent.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(parent.Start()).To(Succeed())
	defer func() { _ = parent.Wait() }()
	defer func() { _ = parent.Process.Kill() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	g.Expect(err).NotTo(HaveOccurred())
	qemu, err := unix.PidfdOpen(pid, 0)
	g.Expect(err).NotTo(HaveOccurred())
	defer unix.Close(qemu)

	g.Expect(ends(qemu, 500*time.Millisecond)).To(BeFalse(), "QEMU ended before its parent")
	g.Expect(parent.Process.Kill()).To(Succeed())
	g.Expect(ends(qemu, 10*time.Second)).To(BeTrue(), "QEMU outlives its parent")
	expectNothingLeft(t, m)
}

const helperKernel = "FINWAIT_TEST_HELPER_KERNEL"

// TestMain lets the test program be the process that TestKilled kills.
func TestMain(m *testing.M) {
	if vmlinuz := os.Getenv(helperKernel); vmlinuz != "" {
		if err := runForEver(vmlinuz); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// runForEver starts QEMU and prints its process id.
func runForEver(vmlinuz string) error {
	program, err := exec.LookPath(qemuProgram)
	if err != nil {
		return err
	}
	m := Machine{Kernel: kernel.Image{Arch: kernel.AMD64, Vmlinuz: vmlinuz}}
	parts, err := m.prepare(program, Payload{Init: os.Args[0], Binary: os.Args[0]}, nil)
	if err != nil {
		return err
	}
	l, err := parts.launch(m)
	if err != nil {
		return err
	}
	l.add("-kernel", vmlinuz, "-initrd", l.inherit(parts.initramfs))
	q, err := startQEMU(program, l)
	if err != nil {
		return err
	}
	fmt.Println(q.process.Pid)
	<-q.exited
	return q.err
}

// ends waits for a process to end.
func ends(pidfd int, patience time.Duration) (bool, error) {
	for deadline := time.Now().Add(patience); ; {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if err != unix.EINTR {
			return n > 0, err
		}
	}
}

func endless(t *testing.T) Machine {
	t.Helper()
	return Machine{Kernel: kernel.Image{Source: "test/endless", Arch: kernel.AMD64, Vmlinuz: writeEndlessKernel(t)}}
}

// expectNothingLeft looks for processes that were given the machine's kernel
// and for temporary files.
func expectNothingLeft(t *testing.T, m Machine) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(temporaryFiles()).To(BeEmpty())
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	g.Expect(err).NotTo(HaveOccurred())
	for _, path := range commands {
		command, _ := os.ReadFile(path)
		g.Expect(string(command)).NotTo(ContainSubstring(m.Kernel.Vmlinuz))
	}
}
