// Command init is the first process of a guest. It mounts what programs
// expect, loads the modules of the plan in the initramfs, runs the plan's
// payload, tells the host how that ended and powers the guest off.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: this is the first process of a virtual machine; it does nothing elsewhere")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
	// Returning makes the kernel panic, which the host notices as well.
	fmt.Fprintln(os.Stderr, "init: power off:", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}

// run does init's work. It returns what it could not tell the host over the
// stream.
func run() error {
	if err := mountAll(); err != nil {
		return err
	}
	host, err := openStream()
	if err != nil {
		return err
	}
	plan, err := guest.ReadPlan(guest.PlanPath)
	if err != nil {
		return host.fail(guest.Setup, err)
	}
	for _, m := range plan.Modules {
		if err := load(m); err != nil {
			return host.fail(guest.Load, err)
		}
	}
	if err := host.ready(); err != nil {
		return err
	}
	payload, err := start(plan.Payload)
	if err != nil {
		return host.fail(guest.Execute, err)
	}
	status := payload.wait()
	killOrphans()
	return host.send(guest.Message{Exit: &guest.Exit{Status: status}})
}
