package vm

import (
	"cmp"
	"fmt"
	"strings"
)

// A Reason says in which way a guest failed.
type Reason string

// The ways a guest can fail.
const (
	NoQEMU       Reason = "there is no QEMU to boot it with"
	NotAKernel   Reason = "it is not a kernel that can be booted"
	Refused      Reason = "QEMU refused its work"
	NeverBooted  Reason = "the kernel never reached init"
	SetupFailed  Reason = "init could not set up the guest"
	ModuleFailed Reason = "a kernel module could not be loaded"
	NotUnpacked  Reason = "what is brought could not be unpacked"
	NotExecuted  Reason = "the payload could not be executed"
	Panicked     Reason = "the kernel panicked"
	Ended        Reason = "the guest ended before the payload did"
	Hung         Reason = "the guest hangs"
	BadStream    Reason = "the guest's report is garbled"
	Stopped      Reason = "it was stopped from outside"
)

// advice is what to do about a failure.
func (r Reason) advice() string {
	switch r {
	case NotAKernel:
		return "what is needed is a bzImage for x86-64 or an Image for arm64, which distributions install as vmlinuz-RELEASE"
	case Refused:
		return "the machine is known to work with QEMU 7.2 as Debian builds it"
	case NeverBooted:
		return "if it is only slow, give it more patience; if not, it may lack a driver for QEMU's machine, its serial ports or an initramfs"
	case SetupFailed:
		return "the kernel may lack a file system or a serial driver that every distribution's kernel has"
	case ModuleFailed:
		return "take the modules from the same package as the kernel"
	case NotExecuted:
		return "it has to be a statically linked program for the architecture of the kernel: build it with CGO_ENABLED=0"
	case Panicked:
		return "what the console shows before it tells what led to it"
	case Ended:
		return "the payload must not do that, nor end the process 1"
	case Hung:
		return "if the payload may be silent for that long, give it more patience"
	case BadStream:
		return "the payload has to write lines of JSON to " + StreamPath + ", each in one write"
	}
	return ""
}

// An Error says why a guest did not do its work.
type Error struct {
	// Kernel names the kernel.
	Kernel string
	// Reason is the kind of failure.
	Reason Reason
	// Err is what was seen of it.
	Err error
	// Advice is what to do about it, where that is not the same for each of the kind.
	Advice string
	// Console holds the last lines that the guest printed.
	Console []string
}

// Error tells what happened, what can be done, and the last lines of the console.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "boot %s: %s: %v", e.Kernel, e.Reason, e.Err)
	if advice := cmp.Or(e.Advice, e.Reason.advice()); advice != "" {
		fmt.Fprintf(&text, "; %s", advice)
	}
	if len(e.Console) > 0 {
		fmt.Fprintf(&text, "\nthe last lines of its console:\n\t%s", strings.Join(e.Console, "\n\t"))
	}
	return text.String()
}

// Unwrap gives what was seen of the failure.
func (e *Error) Unwrap() error { return e.Err }

func (m Machine) failure(reason Reason, err error) *Error {
	failed := &Error{Kernel: m.name(), Reason: reason, Err: err}
	if reason == NoQEMU {
		failed.Advice = m.architecture().install()
	}
	return failed
}

// name gives the kernel as errors call it.
func (m Machine) name() string {
	switch k := m.Kernel; {
	case k.Source == "" && k.Release == "":
		return k.Vmlinuz
	case k.Source == "":
		return k.Release
	case k.Release == "":
		return k.Source
	default:
		return fmt.Sprintf("%s (%s)", k.Source, k.Release)
	}
}
