package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/kernel/debian"
)

func kernelsCommand() *cobra.Command {
	var mirrors []string
	cmd := &cobra.Command{
		Use:   "kernels",
		Short: "List the kernels that can be booted from here",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			progress := newProgress(cmd.ErrOrStderr())
			archive := &debian.Archive{Mirrors: mirrors, Progress: progress.show, Notice: progress.say}
			suites, err := archive.Suites(cmd.Context())
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
			fmt.Fprintln(table, "KERNEL\trelease\tversion\t")
			host, err := hostKernel()
			if err != nil {
				fmt.Fprintf(table, "%s\t-\t-\t%v\n", hostSource, err)
			} else {
				fmt.Fprintf(table, "%s\t%s\t-\tno virtual machine\n", hostSource, host.Release)
			}
			for _, s := range suites {
				fmt.Fprintf(table, "debian/%s\t%s\n", s.Name, describe(s))
			}
			return table.Flush()
		},
	}
	mirrorFlag(cmd, &mirrors)
	return cmd
}

// describe is a suite's row behind its name.
func describe(s debian.Suite) string {
	if s.Err != nil {
		reason, _, _ := strings.Cut(s.Err.Error(), "\n")
		return "-\t-\t" + reason
	}
	var notes []string
	if s.Cached {
		notes = append(notes, "downloaded")
	}
	if s.Note != "" {
		notes = append(notes, s.Note)
	}
	return fmt.Sprintf("%s\t%s\t%s", s.Release, s.Version, strings.Join(notes, "; "))
}

// mirrorFlag has the mirrors taken from the command line or the environment.
func mirrorFlag(cmd *cobra.Command, mirrors *[]string) {
	cmd.Flags().StringSliceVar(mirrors, "mirror", strings.Fields(os.Getenv("FINWAIT_MIRRORS")),
		"`URI` of a mirror of Debian's archive, before the machine's own apt sources; also FINWAIT_MIRRORS, separated by spaces")
}
