package program

import (
	"fmt"
	"os"
	"strings"
)

// killsForMemory is how many processes the kernel has killed since it booted because it, or
// a control group, had no memory left (proc_vmstat(5), oom_kill, Linux 4.13): 0 where it
// does not tell.
func killsForMemory() int {
	vmstat, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	_, counted, _ := strings.Cut(string(vmstat), "\noom_kill ")
	var kills int
	if _, err := fmt.Sscan(counted, &kills); err != nil {
		return 0
	}
	return kills
}
