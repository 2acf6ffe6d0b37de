package main

import (
	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/report"
)

func compareCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "compare BASELINE.json CANDIDATE.json",
		Short:   "Compare two records that gate run has written",
		Example: "  gate compare finwait-out/debian-bullseye/record.json finwait-out/debian-trixie/record.json",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var records []*report.Record
			for _, path := range args {
				record, err := report.Load(path)
				if err != nil {
					return err
				}
				records = append(records, record)
			}
			result := report.NewRun(records, true)
			if err := result.WriteTable(cmd.OutOrStdout()); err != nil {
				return err
			}
			return verdict(result)
		},
	}
}
