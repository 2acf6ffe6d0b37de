package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/packetdrill"
	"github.com/finwait/finwait/harness/pcapng"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/teardown"
)

// formats are what a scenario can be exported as.
var formats = map[string]func(io.Writer, *report.Record, report.Scenario) error{
	"packetdrill": exportScript,
	"pcapng":      exportCapture,
}

func exportCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "export RECORD SCENARIO",
		Short: "Write what a record has of a scenario for another program to read",
		Example: `  gate export finwait-out/debian-bullseye/record.json overtaken-fin/server-shutdown/ipv4 | tshark -r -
  gate export --format packetdrill finwait-out/debian-bullseye/record.json overtaken-fin/server-shutdown/ipv4 > fin.pkt`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			export, known := formats[format]
			if !known {
				return fmt.Errorf("--format %q: there are packetdrill and pcapng", format)
			}
			record, s, err := recordedScenario(args[0], args[1])
			if err != nil {
				return err
			}
			return export(cmd.OutOrStdout(), record, s)
		},
	}
	cmd.Flags().StringVar(&format, "format", "pcapng",
		"a capture of what both taps saw, or a script that packetdrill runs on any kernel: `FORMAT` pcapng or packetdrill")
	return cmd
}

// exportCapture writes the first trial that the scenario was judged by.
func exportCapture(w io.Writer, record *report.Record, s report.Scenario) error {
	t, err := evidence(s)
	if err != nil {
		return err
	}
	return pcapng.Write(w, pcapng.Origin{Scenario: s.Name, Kernel: record.Kernel.Release}, t)
}

// exportScript writes the same. How a server was set up that gate try has started, nobody
// knows but itself.
func exportScript(w io.Writer, record *report.Record, s report.Scenario) error {
	if strings.HasPrefix(s.Name, triedPrefix) {
		return fmt.Errorf("%s cannot become a script: the server that gate try had started is a program of its own, "+
			"and what it did with its socket was not recorded; --format pcapng has the segments", s.Name)
	}
	t, err := evidence(s)
	if err != nil {
		return err
	}
	return packetdrill.Write(w, packetdrill.Origin{Scenario: s.Name, Kernel: record.Kernel.Release}, t)
}

// evidence is the first trial that the scenario was judged by and that has its segments.
func evidence(s report.Scenario) (teardown.Trial, error) {
	for _, t := range s.Trials {
		if t.Exchange != nil && t.Outcome == s.Outcome {
			return t, nil
		}
	}
	return teardown.Trial{}, fmt.Errorf("the record has no segments of %s", s.Name)
}
