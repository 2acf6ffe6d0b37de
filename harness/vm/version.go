package vm

import (
	"fmt"
	"os/exec"
)

// Version is what the QEMU that guests run under says of itself, such as "QEMU emulator
// version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b2)".
func Version() (string, error) {
	program, err := exec.LookPath(qemuProgram)
	if err != nil {
		return "", fmt.Errorf("find QEMU: %w", err)
	}
	return qemuVersion(program)
}
