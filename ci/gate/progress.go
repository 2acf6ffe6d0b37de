package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/finwait/finwait/harness/kernel/debian"
)

// A progress shows downloads: a bar on a terminal, elsewhere a line when a
// file is begun. Its methods are called by one goroutine at a time.
type progress struct {
	out  io.Writer
	bars map[string]*progressbar.ProgressBar
}

func newProgress(out io.Writer) *progress {
	return &progress{out: out, bars: map[string]*progressbar.ProgressBar{}}
}

func (p *progress) show(step debian.Progress) {
	name := fmt.Sprintf("%s %s", step.Step, step.File)
	bar, begun := p.bars[name]
	if !begun {
		bar = p.newBar(name, step.Total)
		p.bars[name] = bar
	}
	_ = bar.Set64(step.Done)
}

func (p *progress) newBar(name string, total int64) *progressbar.ProgressBar {
	if terminal, ok := p.out.(*os.File); !ok || !term.IsTerminal(int(terminal.Fd())) {
		fmt.Fprintf(p.out, "%s (%.1f MB)\n", name, float64(total)/1e6)
		return progressbar.NewOptions64(total, progressbar.OptionSetWriter(io.Discard))
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(p.out) }),
	)
}

func (p *progress) say(notice string) { fmt.Fprintln(p.out, notice) }
