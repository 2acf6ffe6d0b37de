package vm

import (
	"fmt"
	"os"
	"strconv"
)

// The descriptors that QEMU inherits, in the order of exec.Cmd's ExtraFiles.
// It opens them by name, so that neither a pipe nor the initramfs has to have
// one of its own.
const (
	consoleFile   = "/proc/self/fd/3"
	streamFile    = "/proc/self/fd/4"
	initramfsFile = "/proc/self/fd/5"
)

// commandLine is the kernel's. The self-tests of the crypto code are left out:
// they are a quarter of 5.10's boot, 1.3 s of the host's time, and have no say
// in how connections end. An oops becomes a panic, which QEMU's end reports,
// because a guest goes on after it with locks held. Nothing else makes this
// kernel differ from a user's; other parameters that are said to speed up the
// boot (nokaslr, tsc=reliable, no 5-level paging, no HPET) gain less than 5 %.
const commandLine = "console=ttyS0 quiet panic=-1 oops=panic cryptomgr.notests"

// realCommandLine is added for the real clock. At boot the kernel tests whether
// timer interrupts arrive in time, and takes a busy host for broken hardware.
// It does not do so under KVM either.
const realCommandLine = " no_timer_check"

// arguments is QEMU's command line. It is kept to what QEMU 6.2 to 10 know.
func (m Machine) arguments(initramfs *os.File) ([]string, error) {
	info, err := initramfs.Stat()
	if err != nil {
		return nil, fmt.Errorf("measure the initramfs: %w", err)
	}
	args := []string{
		"-no-user-config", "-nodefaults", "-display", "none", "-nic", "none",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-machine", "pc", "-accel", "tcg", "-cpu", "max",
		"-smp", strconv.Itoa(max(1, m.CPUs)),
		"-m", strconv.Itoa(m.memoryMiB(info.Size())) + "M",
		"-no-reboot",
		"-chardev", "file,id=console,path=" + consoleFile, "-serial", "chardev:console",
		"-chardev", "file,id=stream,path=" + streamFile, "-serial", "chardev:stream",
		"-kernel", m.Kernel.Vmlinuz, "-initrd", initramfsFile,
	}
	if m.clock() == Real {
		return append(args, "-append", commandLine+realCommandLine), nil
	}
	return append(args, "-append", commandLine,
		"-icount", "shift=2,sleep=off",
		// The CMOS clock, which the kernel reads at boot, goes by the same
		// clock; otherwise it would be the host's.
		"-rtc", "base=utc,clock=vm",
	), nil
}
