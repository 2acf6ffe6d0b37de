// Package rootlesstest lets a test run its own program as an ordinary user.
package rootlesstest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Nobody is the user and the group that stand in for an ordinary user's where the
// test is root's.
const Nobody = 65534

// Unable is the exit status by which such a program says that the system forbids
// namespaces, and has said why.
const Unable = 77

// Command is the test program with other arguments and a variable more in its
// environment, "NAME=value", as an ordinary user's. The user needs no path to the
// program, but has to be able to read it, which Command sees to.
func Command(t testing.TB, variable string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), variable)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		if err := os.Chmod("/proc/self/exe", 0o755); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: Nobody, Gid: Nobody}
	}
	return cmd
}
