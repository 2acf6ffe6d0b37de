package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/finwait/finwait/harness/pcapng"
	"github.com/finwait/finwait/harness/report"
)

// writeCaptures writes what the taps saw of a scenario beside its ladders: a file for
// each trial that kept its exchange. The first does, and its file has the scenario's
// name alone.
func writeCaptures(ctx context.Context, folder string, k report.Kernel, s report.Scenario) error {
	name := filepath.Join(folder, filepath.FromSlash(s.Name))
	for i, t := range s.Trials {
		if t.Exchange == nil {
			continue
		}
		suffix := ""
		if i > 0 {
			suffix = fmt.Sprintf(".trial-%d", i+1)
		}
		if err := replaceUnless(ctx, name+suffix+".pcapng", func(w io.Writer) error {
			return pcapng.Write(w, pcapng.Origin{Scenario: s.Name, Kernel: k.Release}, t)
		}); err != nil {
			return err
		}
	}
	return nil
}
