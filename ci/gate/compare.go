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
			var result report.Run
			for _, path := range args {
				record, err := report.Load(path)
				if err != nil {
					return err
				}
				result.Records = append(result.Records, record)
			}
			result.Comparisons = []report.Comparison{report.Compare(result.Records[0], result.Records[1])}
			if err := result.WriteTable(cmd.OutOrStdout()); err != nil {
				return err
			}
			return verdict(result)
		},
	}
}
