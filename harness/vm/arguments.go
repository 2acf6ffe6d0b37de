package vm

import "strconv"

// commandLine is the kernel's. The self-tests of the crypto code are left out:
// they are a quarter of 5.10's boot, 1.3 s of the host's time, and have no say
// in how connections end. An oops becomes a panic, which QEMU's end reports,
// because a guest goes on after it with locks held. Nothing else makes this
// kernel differ from a user's; other parameters that are said to speed up the
// boot (nokaslr, tsc=reliable, no 5-level paging, no HPET) gain less than 5 %.
const commandLine = "quiet panic=-1 oops=panic cryptomgr.notests"

// kernelArguments is what the kernel is booted with.
func (m Machine) kernelArguments() string {
	a := m.architecture()
	arguments := "console=" + a.console + " " + commandLine
	if m.clock() == Real {
		arguments += a.realClock
	}
	return arguments
}

// machineArguments describe the machine, the same for one that boots and one that
// goes on from what was kept. They are tried with QEMU 7.2.
//
// The virtio devices are served by the thread that runs the guest (ioeventfd=off):
// the guest's clock stands meanwhile, instead of running ahead while it waits.
func (m Machine) machineArguments(memoryMiB int) []string {
	a := m.architecture()
	args := []string{
		"-no-user-config", "-nodefaults", "-display", "none", "-nic", "none",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-machine", a.machine,
		"-smp", strconv.Itoa(max(1, m.CPUs)),
		"-m", strconv.Itoa(memoryMiB) + "M",
		"-no-reboot",
		"-action", "panic=pause", "-device", "pvpanic-pci",
	}
	switch {
	case m.accelerator == KVM:
		return append(args, "-accel", "kvm", "-cpu", "host")
	case m.clock() == Real:
		return append(args, "-accel", "tcg", "-cpu", a.processor)
	}
	return append(args,
		"-accel", "tcg", "-cpu", a.processor,
		"-icount", "shift=2,sleep=off",
		// The machine's own clock, which the kernel reads at boot, goes by the same
		// clock; otherwise it would be the host's.
		"-rtc", "base=utc,clock=vm",
	)
}
