package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/vm"
)

// qemuMiB is what QEMU takes besides the guest's memory, to translate its code: one whose
// guest of 256 MiB had run the suite had 330 MiB resident.
const qemuMiB = 128

// room is how many guests with so much memory the machine has room for: each keeps a core
// busy. Where the kernel does not tell its memory, the cores decide.
func room(guestMiB int) int {
	guests := runtime.GOMAXPROCS(0)
	if meminfo, err := os.ReadFile("/proc/meminfo"); err == nil {
		if mib, ok := availableMiB(string(meminfo)); ok {
			guests = min(guests, mib/(guestMiB+qemuMiB))
		}
	}
	return max(1, guests)
}

// availableMiB reads MemAvailable, which is in kB (proc_meminfo(5)).
func availableMiB(meminfo string) (mib int, ok bool) {
	_, available, _ := strings.Cut(meminfo, "MemAvailable:")
	var kib int
	_, err := fmt.Sscanf(available, "%d kB", &kib)
	return kib >> 10, err == nil
}

// sideBySide is how many of the kernels run at the same time. One on the real
// clock runs alone: others would lengthen what it measures.
func (o options) sideBySide(images []kernel.Image, room int) int {
	virtual := 0
	for _, image := range images {
		if o.clockOf(image) == vm.Virtual {
			virtual++
		}
	}
	return max(1, min(virtual, room))
}
