package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/ci/gate/internal/programs"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which gate this is",
		Example: `  gate version`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo() // what gate is built with always adds it
			return describeBuild(cmd.OutOrStdout(), info)
		},
	}
}

// describeBuild tells what Go has noted in a program: the version, which is the tag or
// follows from the commit, the commit, and what it was built with.
func describeBuild(w io.Writer, info *debug.BuildInfo) error {
	setting := func(key string) string {
		for _, s := range info.Settings {
			if s.Key == key {
				return s.Value
			}
		}
		return ""
	}
	commit := cmp.Or(setting("vcs.revision"), "not known: it was built without one (-buildvcs=false, or outside of a repository)")
	if setting("vcs.modified") == "true" {
		commit += ", with changes that were not committed"
	}
	if date := setting("vcs.time"); date != "" {
		commit += ", of " + date
	}
	guests := "built when they are needed, in a checkout, with Go in PATH"
	if carried := programs.Carried(); len(carried) > 0 {
		guests = "in this file, for " + strings.Join(carried, " and ")
	}
	_, err := fmt.Fprintf(w, "gate %s\ncommit: %s\nbuilt by: %s for %s/%s\nprograms for guests: %s\n",
		cmp.Or(info.Main.Version, "(devel)"), commit, info.GoVersion, setting("GOOS"), setting("GOARCH"), guests)
	return err
}
