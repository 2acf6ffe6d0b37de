package vm

import (
	"cmp"
	"fmt"

	"github.com/finwait/finwait/harness/kernel"
)

// An architecture is what QEMU and a kernel have to be told differently for guests of
// one. They are tried with QEMU 7.2.
type architecture struct {
	// qemu is the program, and debianPackage what it is in on Debian and Ubuntu.
	qemu, debianPackage string
	// machine is the type, and processor the model of which TCG translates the
	// instructions.
	machine, processor string
	// console is where the kernel prints, the machine's first serial port.
	console string
	// init is the guest's device for what init says, and initPort what makes QEMU
	// have one. It is there before any module is.
	init     string
	initPort []string
	// realClock is added to the kernel's command line for the real clock.
	realClock string
	// needs are the drivers of what is different.
	needs []kernel.Need
}

var architectures = map[kernel.Arch]architecture{
	kernel.AMD64: {
		qemu: "qemu-system-x86_64", debianPackage: "qemu-system-x86",
		// TCG moves strings octet by octet. A kernel that is not told that this is fast
		// (ERMS, FSRM) has it move words: it writes a MiB in 7 ms instead of 18.
		machine: "pc", processor: "max,erms=off,fsrm=off",
		console: "ttyS0",
		init:    "/dev/ttyS1", initPort: []string{"-serial", "chardev:init"},
		// At boot the kernel tests whether timer interrupts arrive in time, and takes
		// a busy host for broken hardware. It does not do so under KVM either.
		realClock: " no_timer_check",
		needs:     []kernel.Need{{Option: "CONFIG_64BIT"}, {Option: "CONFIG_SERIAL_8250_CONSOLE"}},
	},
	kernel.ARM64: {
		qemu: "qemu-system-aarch64", debianPackage: "qemu-system-arm",
		// The processor signs pointers in a way of QEMU's own, which takes a fraction
		// of what the architecture's takes.
		machine: "virt", processor: "max,pauth-impdef=on",
		// The machine has one serial port of its own.
		console: "ttyAMA0",
		init:    "/dev/ttyS0", initPort: []string{"-device", "pci-serial,chardev=init"},
		needs: []kernel.Need{
			{Option: "CONFIG_SERIAL_AMBA_PL011_CONSOLE"}, {Option: "CONFIG_SERIAL_8250_PCI"}, {Option: "CONFIG_PCI_HOST_GENERIC"},
		},
	},
}

// install is what to do where there is no QEMU for an architecture.
func (a architecture) install() string {
	return fmt.Sprintf("install it (on Debian and Ubuntu the package %s) or put it into PATH", a.debianPackage)
}

// arch is that of the machine's kernel.
func (m Machine) arch() kernel.Arch { return cmp.Or(m.Kernel.Arch, kernel.Native()) }

// architecture is what is different for the machine's kernel.
func (m Machine) architecture() architecture { return architectures[m.arch()] }
