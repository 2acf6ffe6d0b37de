package main

import (
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/ci/gate/internal/programs"
)

// packCommand is for `make release` alone, and hidden.
func packCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "pack DIR",
		Short:   "Build the programs that a release carries, and compress them into DIR",
		Example: `  gate pack ci/gate/internal/programs/packed`,
		Args:    cobra.ExactArgs(1),
		Hidden:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return programs.Pack(cmd.Context(), func(name string, content func(io.Writer) error) error {
				return replace(filepath.Join(args[0], filepath.FromSlash(name)), content)
			})
		},
	}
}
