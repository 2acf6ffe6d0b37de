package vm

import (
	"fmt"
	"os/exec"

	"github.com/finwait/finwait/harness/kernel"
)

// Version is what the QEMU that guests of an architecture run under says of itself,
// such as "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b2)".
func Version(arch kernel.Arch) (string, error) {
	program, err := exec.LookPath(architectures[arch].qemu)
	if err != nil {
		return "", fmt.Errorf("find QEMU: %w", err)
	}
	return qemuVersion(program)
}
