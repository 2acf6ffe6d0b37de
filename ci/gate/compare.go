package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/harness/report"
)

func compareCommand() *cobra.Command {
	var page string
	cmd := &cobra.Command{
		Use:   "compare BASELINE CANDIDATE...",
		Short: "Compare records that gate run has written with the first, or two maps that gate explore has",
		Long: `compare holds each CANDIDATE against the BASELINE. Both are records; a folder stands for every
record.json below it.`,
		Example: `  gate compare finwait-out/debian-bullseye/record.json finwait-out/debian-trixie/record.json
  gate compare known-good/record.json fleet
  gate compare finwait-out/debian-bullseye/behaviour.map finwait-out/debian-trixie/behaviour.map`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			maps := isMap(args[0])
			switch {
			case slices.ContainsFunc(args, func(arg string) bool { return isMap(arg) != maps }):
				return errors.New("a record can be compared with a record, and a map (FILE.map) with a map")
			case maps && len(args) > 2:
				return errors.New("two maps can be compared, and no more")
			case maps:
				return compareMapFiles(cmd.OutOrStdout(), args[0], args[1], page)
			}
			return compareRecords(cmd.OutOrStdout(), args, page)
		},
	}
	cmd.Flags().StringVar(&page, "html", "", "write the comparison as a page to `FILE`, too")
	return cmd
}

func compareRecords(w io.Writer, args []string, page string) error {
	paths, err := recordFiles(args)
	if err != nil {
		return err
	}
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
	if len(result.Comparisons) > 1 {
		fmt.Fprintln(w) // the kernels of many machines can have the same name
		for i, c := range result.Comparisons {
			fmt.Fprintf(w, "%s: %s\n", paths[i+1], c.Verdict)
		}
	}
	return verdict(result)
}

// recordFiles puts the record files below a folder in its place, but for those that are
// there already: the baseline can be one of them.
func recordFiles(args []string) (paths []string, err error) {
	for i, arg := range args {
		found, err := recordsBelow(arg)
		switch {
		case err != nil:
			return nil, fmt.Errorf("look for records: %w", err)
		case len(found) == 0:
			return nil, fmt.Errorf("there is no %s below %s: want the --out folder of a gate run", recordFileName, arg)
		case i == 0 && len(found) > 1:
			return nil, fmt.Errorf("there are %d records below %s, and there is one baseline: name its %s", len(found), arg, recordFileName)
		}
		for _, path := range found {
			if path == filepath.Clean(arg) || !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	if len(paths) == 1 {
		return nil, fmt.Errorf("there is no record but the baseline's, %s", paths[0])
	}
	return paths, nil
}

// recordsBelow are the record files below a folder, in the order of their names. Any
// other file is taken for a record itself.
func recordsBelow(root string) (found []string, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (path == root || entry.Name() == recordFileName) {
			found = append(found, filepath.Clean(path))
		}
		return err
	})
	return found, err
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
