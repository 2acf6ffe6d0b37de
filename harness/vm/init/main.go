// Command init is the first process of a guest. It mounts what programs
// expect, loads the modules of the plan in the initramfs, starts the program if that
// is to be held, and stops the machine, which the host may keep at that point. When it
// goes on, init reads its errand from the disk, unpacks the luggage, has the program do
// the errand, tells the host how that ended and powers the guest off.
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
	_ = drain(os.Stdout) // the kernel's own words do not wait for their turn
	// Returning makes the kernel panic, which the host notices as well.
	fmt.Fprintln(os.Stderr, "init: power off:", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}

// run does init's work. It returns what it could not tell the host.
func run() error {
	if err := mountAll(); err != nil {
		return err
	}
	plan, err := guest.ReadPlan(guest.PlanPath)
	if err != nil {
		return err
	}
	host, err := openHost(plan.Port)
	if err != nil {
		return err
	}
	if err := loadAll(plan.Modules); err != nil {
		return host.fail(guest.Load, err)
	}
	if err := awaitDevices(); err != nil {
		return host.fail(guest.Setup, err)
	}
	program := program{Program: plan.Program}
	if err := program.hold(); err != nil {
		return host.fail(guest.Execute, err)
	}
	if err := host.send(guest.Message{Booted: &guest.Booted{}}); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return host.fail(guest.Stop, err)
	}
	errand, err := fetch()
	if err == nil {
		err = renew(errand)
	}
	if err != nil {
		return host.fail(guest.Fetch, err)
	}
	if err := unpack(errand.Luggage); err != nil {
		return host.fail(guest.Unpack, err)
	}
	if err := host.ready(); err != nil {
		return err
	}
	status, err := program.run(errand.Args)
	if err != nil {
		return host.fail(guest.Execute, err)
	}
	killOrphans()
	return host.exit(status)
}
