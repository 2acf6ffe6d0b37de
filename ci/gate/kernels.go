package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/kernel/debian"
)

// A bootable kernel is a KERNEL argument, and what it stands for today. These are its
// names in what gate kernels --json prints.
type bootable struct {
	Kernel     string `json:"kernel"`
	Release    string `json:"release,omitempty"`
	Version    string `json:"version,omitempty"`
	Downloaded bool   `json:"downloaded,omitempty"`
	Note       string `json:"note,omitempty"`
	// Error is why the kernel cannot be had; empty if it can.
	Error string `json:"error,omitempty"`
}

func kernelsCommand() *cobra.Command {
	var (
		o      archiveOptions
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "kernels",
		Short: "List the kernels that can be booted from here",
		Example: `  gate kernels
  gate kernels --json | jq -c '[.[] | select(.error == null) | .kernel]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			suites, err := o.archive(cmd.ErrOrStderr()).Suites(cmd.Context())
			if err != nil {
				return err
			}
			kernels := bootables(suites)
			if asJSON {
				return jsonOf(kernels)(cmd.OutOrStdout())
			}
			return listKernels(cmd.OutOrStdout(), kernels)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for a matrix of jobs: an object for each kernel")
	o.addArchiveFlags(cmd)
	return cmd
}

// bootables are the running kernel and the newest one of each suite.
func bootables(suites []debian.Suite) []bootable {
	running := bootable{Kernel: hostSource, Note: "no virtual machine"}
	if host, err := hostKernel(); err != nil {
		running.Error = firstLine(err.Error())
	} else {
		running.Release = host.Release
	}
	kernels := []bootable{running}
	for _, s := range suites {
		k := bootable{Kernel: "debian/" + s.Name, Release: s.Release, Version: s.Version, Downloaded: s.Cached, Note: s.Note}
		if s.Err != nil {
			k.Error = firstLine(s.Err.Error())
		}
		kernels = append(kernels, k)
	}
	return kernels
}

// listKernels prints a table.
func listKernels(w io.Writer, kernels []bootable) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "KERNEL\trelease\tversion\t")
	for _, k := range kernels {
		remarks := []string{k.Note, k.Error}
		if k.Downloaded {
			remarks = append([]string{"downloaded"}, remarks...)
		}
		remarks = slices.DeleteFunc(remarks, func(s string) bool { return s == "" })
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", k.Kernel, cmp.Or(k.Release, "-"), cmp.Or(k.Version, "-"), strings.Join(remarks, "; "))
	}
	return table.Flush()
}
