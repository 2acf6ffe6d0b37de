// Package vm boots a kernel under QEMU, runs one program in it and hands over
// what the program reports while it runs. It needs neither root nor KVM.
package vm

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/luggage"
	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// StreamPath is the file in the guest to which the payload writes what it
// reports: lines of JSON, each in one write. One program at a time can have it open.
const StreamPath = guest.StreamPath

// A Clock says what the guest takes for time.
type Clock string

const (
	// Virtual derives the guest's time from the instructions that it has
	// executed and skips the time in which it is idle (QEMU's
	// -icount shift=2,sleep=off: 4 ns an instruction). Hours of waiting take
	// seconds, and a busy host does not change what the guest measures. It
	// allows one CPU. A guest that waits for the host finds its clock far
	// ahead afterwards, so nothing in the guest may do that during a
	// measurement.
	Virtual Clock = "virtual"
	// Real is the host's time. The guest runs under KVM where that has been proven
	// to work.
	Real Clock = "real"
)

// A Machine is a virtual machine to boot. Only Kernel has to be set.
type Machine struct {
	Kernel kernel.Image
	// Modules are the kernel modules to load before the payload starts, by
	// name. Those that they depend on come by themselves. Where the kernel has no
	// folder of modules, all of them are taken to be built in.
	Modules []string
	// Clock is Virtual if it is empty.
	Clock Clock
	// CPUs is the number of processors, 0 for one.
	CPUs int
	// MemoryMiB is the guest's memory in MiB, 0 for 256 or, where programs
	// and modules are larger than 64 MiB, four times their size; and for twice that
	// of the luggage besides, and the next power of two, where that is larger than
	// 40 MiB.
	MemoryMiB int
	// Cache is the folder for what later runs go by: the machine as it is when it has
	// booted, with the payload in its memory (some 100 MB), from which the next run
	// of the same goes on instead of booting; and whether KVM works. It is made if it
	// is missing. If Cache is empty, nothing is remembered.
	Cache string
	// Cold has the machine boot, and not be kept, whatever is in the Cache.
	Cold bool
	// Notice is told, in one line, why what was kept is of no use, why nothing
	// could be kept, or why KVM is not used. The run goes on without. May be nil.
	Notice func(string)
	// Console gets what the guest prints line by line: the kernel's log and
	// the payload's standard output and standard error. May be nil.
	Console io.Writer
	// BootDeadline is how much of the host's time the kernel gets to reach
	// init, 0 for two minutes.
	BootDeadline time.Duration
	// Patience is how much of the host's time may then pass without a sign of
	// life, before the guest is taken to hang; 0 for three minutes. Whatever
	// the guest prints or reports is a sign of life.
	Patience time.Duration

	accelerator Accelerator // TCG if it is empty
}

// A Payload is the program to run in the guest. Both files have to be
// statically linked programs for the kernel's architecture, such as Go builds with
// CGO_ENABLED=0.
type Payload struct {
	// Init is the file of the program in the folder init.
	Init string
	// Binary is the file of the program to run; where it is empty, the guest boots
	// and powers off.
	Binary string
	// Args are its arguments, without its name.
	Args []string
	// Env is added to its environment, KEY=VALUE each. PATH, HOME and TMPDIR
	// are set.
	Env []string
	// Held is true of a program that calls held.Await. It is started before the
	// machine is kept, so that what it does before that is done once.
	Held bool
	// Luggage is what the program finds in the guest besides, from when its arguments
	// are known; nil for nothing. A machine that was kept goes on with any.
	Luggage *luggage.Luggage
}

// A Result is what a guest that did its work leaves.
type Result struct {
	// Status is the payload's exit status, or 128 plus the number of the
	// signal that killed it.
	Status int
	// Release is the running kernel's, as uname -r prints it.
	Release string
	// Uptime is the guest's time from boot to the start of the payload, and Ran
	// what passed of it until the payload's end.
	Uptime, Ran time.Duration
	// Accelerator is what carried out its instructions.
	Accelerator Accelerator
	// Resumed is true where the machine went on from what was kept.
	Resumed bool
}

// Available returns an error that says what to install where no kernel for an
// architecture can be booted on this machine.
func Available(arch kernel.Arch) error {
	a, known := architectures[arch]
	if !known {
		return fmt.Errorf("no kernel for %s can be booted, only for %s and %s", arch, kernel.AMD64, kernel.ARM64)
	}
	if _, err := exec.LookPath(a.qemu); err != nil {
		return fmt.Errorf("%s: %w; %s", NoQEMU, err, a.install())
	}
	return nil
}

// Run boots the machine, or has it go on from where it was kept, runs the payload
// and returns when QEMU has ended and nothing of it is left. It calls line for every
// complete line that the payload writes to StreamPath, while the guest runs and from
// one goroutine; the bytes are overwritten once line returns. A slow line or Console
// does not hold up the guest.
//
// When the guest fails, the error is an [*Error] and Result holds what was
// known by then. When ctx ends, QEMU is killed and the error wraps the
// context's cause.
func (m Machine) Run(ctx context.Context, p Payload, line func([]byte)) (Result, error) {
	modules, err := m.loadOrder()
	if err != nil {
		return Result{}, err
	}
	return m.run(ctx, p, modules, line)
}

// loadOrder are the modules of the machine, and those of its devices.
func (m Machine) loadOrder() ([]kernel.Module, error) {
	if m.Kernel.Modules == "" {
		return nil, nil // all that is needed is built in, or the guest will tell
	}
	own, err := m.Kernel.ModulesOf(ownNeeds...)
	if err != nil {
		return nil, err
	}
	return m.Kernel.LoadOrder(slices.Concat(own, m.Modules)...)
}

func (m Machine) run(ctx context.Context, p Payload, modules []kernel.Module, line func([]byte)) (Result, error) {
	err := m.check()
	if err != nil {
		return Result{}, fmt.Errorf("boot %s: %w", m.name(), err)
	}
	if m.Kernel.Arch, err = kernel.Identify(m.Kernel.Vmlinuz); err != nil {
		return Result{}, m.failure(NotAKernel, err)
	}
	if l := p.Luggage; l != nil && l.Arch() != "" && l.Arch() != string(m.arch()) {
		return Result{}, fmt.Errorf("boot %s: the programs that are brought are for %s, and the kernel is for %s: bring those for %[3]s", m.name(), l.Arch(), m.arch())
	}
	program, err := exec.LookPath(m.architecture().qemu)
	if err != nil {
		return Result{}, m.failure(NoQEMU, err)
	}
	if m.accelerator, err = m.chooseAccelerator(ctx, program, p.Init); err != nil {
		return Result{}, err
	}
	parts, err := m.prepare(program, p, modules)
	if err != nil {
		return Result{}, fmt.Errorf("boot %s: %w", m.name(), err)
	}
	defer parts.close()
	result, err, done := m.resume(ctx, parts, line)
	if !done {
		result, err = m.boot(ctx, parts, line)
	}
	result.Accelerator = m.accelerator
	return result, err
}

func (m Machine) check() error {
	switch {
	case m.clock() != Virtual && m.clock() != Real:
		return fmt.Errorf("there is no clock %q, only %q and %q", m.Clock, Virtual, Real)
	case m.CPUs < 0 || m.MemoryMiB < 0:
		return fmt.Errorf("the number of CPUs, %d, and the memory, %d MiB, cannot be negative", m.CPUs, m.MemoryMiB)
	case m.BootDeadline < 0 || m.Patience < 0:
		return fmt.Errorf("the boot deadline, %v, and the patience, %v, cannot be negative", m.BootDeadline, m.Patience)
	case m.clock() == Virtual && m.CPUs > 1:
		return fmt.Errorf("%d CPUs were asked for, but the virtual clock allows only one: take the real clock or one CPU", m.CPUs)
	}
	return nil
}

func (m Machine) clock() Clock {
	if m.Clock == "" {
		return Virtual
	}
	return m.Clock
}

func (m Machine) bootDeadline() time.Duration {
	if m.BootDeadline == 0 {
		return 2 * time.Minute
	}
	return m.BootDeadline
}

func (m Machine) patience() time.Duration {
	if m.Patience == 0 {
		return 3 * time.Minute
	}
	return m.Patience
}

// keeps says whether the machine is kept, and goes on from what was.
func (m Machine) keeps() bool { return m.Cache != "" && !m.Cold }

func (m Machine) notice(format string, args ...any) {
	if m.Notice != nil {
		m.Notice(fmt.Sprintf(format, args...))
	}
}
