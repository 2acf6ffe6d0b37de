package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/finwait/finwait/harness/ladder"
)

func ladderCommand() *cobra.Command {
	var (
		svg     string
		stacked bool
	)
	cmd := &cobra.Command{
		Use:   "ladder SCENARIO RECORD [RECORD]",
		Short: "Draw how a scenario went on a kernel, or on two beside each other",
		Example: `  gate ladder overtaken-fin/server-shutdown/ipv4 finwait-out/debian-*/record.json
  gate ladder overtaken-fin/server-shutdown/ipv4 finwait-out/debian-*/record.json --svg ladder.svg`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if stacked && svg == "" {
				return errors.New("--stacked is about a drawing: name it with --svg FILE")
			}
			panels, err := loadPanels(args[0], args[1:])
			switch {
			case err != nil:
				return err
			case svg == "":
				return printLadder(cmd.OutOrStdout(), panels)
			case stacked:
				return replace(svg, content(ladder.StackedSVG(args[0], panels...)))
			}
			return replace(svg, content(ladder.SVG(args[0], panels...)))
		},
	}
	cmd.Flags().StringVar(&svg, "svg", "", "write the drawing to a `FILE`, instead of text")
	cmd.Flags().BoolVar(&stacked, "stacked", false, "in the drawing, one kernel below the other: for narrow pages")
	return cmd
}

// loadPanels takes what is to be shown of a scenario out of records.
func loadPanels(scenario string, paths []string) ([]ladder.Panel, error) {
	var panels []ladder.Panel
	for _, path := range paths {
		record, s, err := recordedScenario(path, scenario)
		if err != nil {
			return nil, err
		}
		trial := s.Judged()
		if trial == nil {
			return nil, fmt.Errorf("%s: of %s no trial was recorded; the text of what else was is in %s",
				path, scenario, filepath.Join(filepath.Dir(path), exchangesFolder, filepath.FromSlash(scenario)+".txt"))
		}
		panels = append(panels, ladder.Panel{Kernel: record.Kernel.String(), Trial: *trial})
	}
	return panels, nil
}

func printLadder(w io.Writer, panels []ladder.Panel) error {
	page := pageOf(w)
	text := page.Text(panels[0].Trial)
	if len(panels) > 1 {
		text = page.SideBySide(panels[0], panels[1])
	}
	_, err := io.WriteString(w, text)
	return err
}

// pageOf is what can be read on a file: colours only on a terminal, and not if the
// user wants none (https://no-color.org).
func pageOf(w io.Writer) ladder.Page {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return ladder.Page{}
	}
	page := ladder.Page{Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		page.Width = width
	}
	return page
}
