package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/catalogue"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/luggage"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// A surveyor is gate servers: the options that it shares with gate run, and its own.
type surveyor struct {
	options
	folder string // what ci/servers.sh has made
	page   string
}

func serversCommand() *cobra.Command {
	s := surveyor{options: options{clock: string(vm.Virtual), suite: programs.Servers}}
	cmd := &cobra.Command{
		Use:   "servers [KERNEL...]",
		Short: "Say which servers of Debian's lose FINs on kernels",
		Long: `servers tries the servers that people run, as Debian has packaged them and ` + "`make servers`" + `
has unpacked them, on each kernel, in the ways in which try does.`,
		Example: `  gate servers debian/bullseye debian/trixie
  gate servers --label-filter nginx host`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s.stdout, s.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return s.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.folder, "servers", filepath.Join(".bin", "servers"), "the `DIR` into which `make servers` has unpacked them")
	flags.StringVar(&s.page, "page", "", "write which servers are exposed to a `FILE`, in Markdown; the first kernel is to be one that loses FINs")
	flags.StringVar(&s.labelFilter, "label-filter", "", "try only what matches Ginkgo's label `EXPR`; each part of a name is a label")
	flags.IntVar(&s.trials, "trials", 1, "have `N` clients come in each way")
	flags.StringVar(&s.out, "out", filepath.Join("finwait-out", "servers"), "the `DIR` for records and reports")
	coldFlag(cmd, &s.cold)
	s.addArchiveFlags(cmd)
	cmd.MarkFlagsMutuallyExclusive("page", "label-filter") // it would be a page of gaps
	return cmd
}

func (s surveyor) tree() string { return filepath.Join(s.folder, "root") }

// run tries the servers on the kernels.
func (s surveyor) run(ctx context.Context, args []string) (err error) {
	if s.brought, err = s.pack(); err != nil {
		return err
	}
	tree, err := filepath.Abs(s.tree())
	if err != nil {
		return err
	}
	s.own = func(image kernel.Image) []string {
		if image.Source == hostSource {
			return []string{"--tree=" + tree}
		}
		return []string{"--guest"}
	}
	servers, err := s.served()
	if err != nil {
		return err
	}
	if err := s.options.run(ctx, args); err != nil || s.page == "" {
		return err
	}
	return s.writePage(servers, args)
}

// served are the servers that the suite tries, with their versions.
func (s surveyor) served() (servers []report.Served, err error) {
	packages, err := catalogue.Versions(filepath.Join(s.folder, "packages.tsv"))
	if err != nil {
		return nil, err
	}
	for _, server := range catalogue.All() {
		from, err := server.From(packages)
		if err != nil {
			return nil, err
		}
		servers = append(servers, report.Served{Name: server.Name, Package: from.Name, Version: from.Version})
	}
	for _, name := range []string{"go/close", "go/close-write"} {
		servers = append(servers, report.Served{Name: name, Version: runtime.Version()})
	}
	return servers, nil
}

// writePage writes the page from the records that the run has left.
func (s surveyor) writePage(servers []report.Served, kernels []string) error {
	var records []*report.Record
	for _, source := range kernels {
		record, err := report.Load(filepath.Join(s.out, folderFor(source), recordFileName))
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	return replace(s.page, func(w io.Writer) error { return report.WriteServers(w, servers, records) })
}

// clients are the programs that come as clients.
var clients = []string{"/usr/bin/curl"}

// pack gathers what the servers and their clients need in a guest.
func (s surveyor) pack() (*luggage.Luggage, error) {
	if _, err := os.Stat(s.tree()); err != nil {
		return nil, fmt.Errorf("--servers %s: %w: `make servers` in a checkout of %s unpacks the servers", s.folder, err, programs.Module)
	}
	paths := slices.Clone(clients)
	for _, server := range catalogue.All() {
		server, err := server.In(os.DirFS(s.tree()), "/nowhere")
		if err != nil {
			return nil, err
		}
		paths = append(append(paths, server.Args[0]), server.Brings...)
	}
	return luggage.Pack([]string{s.tree()}, paths)
}
