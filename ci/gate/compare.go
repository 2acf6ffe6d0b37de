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
	var page string
	cmd := &cobra.Command{
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
				return compareMapFiles(cmd.OutOrStdout(), args[0], args[1], page)
			}
			return compareRecords(cmd.OutOrStdout(), args, page)
		},
	}
	cmd.Flags().StringVar(&page, "html", "", "write the comparison as a page to `FILE`, too")
	return cmd
}

func compareRecords(w io.Writer, paths []string, page string) error {
	var records []*report.Record
	for _, path := range paths {
		record, err := report.Salvage(path)
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	if err := report.OneArchitecture(records); err != nil {
		return err
	}
	result := report.NewRun(records, true)
	if page != "" {
		if err := replace(page, func(w io.Writer) error { return result.WriteHTML(w, report.Beside{Folders: foldersFrom(page, paths)}) }); err != nil {
			return err
		}
	}
	if err := result.WriteSummary(w); err != nil {
		return err
	}
	return verdict(result)
}

// foldersFrom are the folders of files as seen from a page; empty where no relative path
// leads there.
func foldersFrom(page string, paths []string) (folders []string) {
	for _, path := range paths {
		folder, err := filepath.Rel(filepath.Dir(page), filepath.Dir(path))
		if err != nil {
			folder = ""
		}
		folders = append(folders, filepath.ToSlash(folder))
	}
	return folders
}

func isMap(path string) bool { return filepath.Ext(path) == ".map" }

func compareMapFiles(w io.Writer, baseline, candidate, page string) error {
	before, err := loadMap(baseline)
	if err != nil {
		return err
	}
	after, err := loadMap(candidate)
	if err != nil {
		return err
	}
	if page != "" {
		if err := writeOrders(page, []*explore.Map{before, after}); err != nil {
			return err
		}
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
