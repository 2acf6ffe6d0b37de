// Command gate is what stands in front of a kernel upgrade: it runs finwait's
// specs on kernels, says what changed between them, and exits with a verdict.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	exitNoRegression = 0
	exitFailed       = 1 // the gate could not do its work
	exitRegression   = 2
	exitInconclusive = 3
)

// interrupts are the signals by which the gate is told to end.
var interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), interrupts...)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is the whole command; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var verdict exitStatus
	switch {
	case err == nil:
		return exitNoRegression
	case errors.As(err, &verdict):
		return int(verdict)
	}
	fmt.Fprintln(stderr, "gate:", err)
	if cmd.Name() == stepName {
		return stepFailed
	}
	return exitFailed
}

// An exitStatus is a verdict on its way out; there is nothing to print about
// it that has not been printed.
type exitStatus int

// Error makes an exitStatus an error.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "gate",
		Short: "Say what changed between two kernels in how they end TCP connections",
		Long: `gate runs finwait's specs on Linux kernels and says what changed between them.

A KERNEL is
  debian/SUITE          the newest cloud kernel of a suite, security updates included
                        (debian/bullseye, debian/trixie, debian/bookworm-backports, debian/sid)
  debian/VERSION        the cloud kernel with that package version (debian/6.1.170-1)
  deb:FILE[,FILE...]    what packages of Debian's or Ubuntu's kind hold, kernel and modules
  dir:ROOT              what was unpacked there: boot/vmlinuz-RELEASE or
                        lib/modules/RELEASE/vmlinuz, with lib/modules/RELEASE
  image:VMLINUZ[,modules=DIR]
                        a kernel's own file, and its lib/modules/RELEASE
  build:DIR             what make built there: bzImage or Image, modules if it has any
  host                  the running kernel, without a virtual machine

It is for amd64 or arm64, of Debian's for this machine's, or with :amd64 or :arm64 behind
it for that (debian/trixie:arm64). Kernels for one architecture can be compared.

Exit status: 0 no regression, 1 the gate could not do its work, 2 regression, 3 inconclusive.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), exploreCommand(), behavioursCommand(), bisectCommand(), stepCommand(), tryCommand(), serversCommand(), compareCommand(),
		ladderCommand(), exportCommand(), kernelsCommand(), matrixCommand(), versionCommand(), packCommand())
	complete(root)
	return root
}
