package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/harness/report"
)

func compareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare BASELINE CANDIDATE",
		Short: "Compare two records that gate run has written, or two maps that gate explore has",
		Example: `  gate compare finwait-out/debian-bullseye/record.json finwait-out/debian-trixie/record.json
  gate compare finwait-out/debian-bullseye/behaviour.map finwait-out/debian-trixie/behaviour.map`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch maps := isMap(args[0]); {
			case maps != isMap(args[1]):
				return errors.New("a record can be compared with a record, and a map (FILE.map) with a map")
			case maps:
				return compareMapFiles(cmd.OutOrStdout(), args[0], args[1])
			}
			return compareRecords(cmd.OutOrStdout(), args)
		},
	}
}

func compareRecords(w io.Writer, paths []string) error {
	var records []*report.Record
	for _, path := range paths {
		record, err := report.Load(path)
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	result := report.NewRun(records, true)
	if err := result.WriteTable(w); err != nil {
		return err
	}
	return verdict(result)
}

func isMap(path string) bool { return filepath.Ext(path) == ".map" }

func compareMapFiles(w io.Writer, baseline, candidate string) error {
	before, err := loadMap(baseline)
	if err != nil {
		return err
	}
	after, err := loadMap(candidate)
	if err != nil {
		return err
	}
	return compareMaps(w, before, after)
}

func loadMap(path string) (*explore.Map, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return explore.ReadMap(file, path)
}
