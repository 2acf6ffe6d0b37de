package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/report"
)

// What is written of all kernels: the sum, for programs and for pages such as GitHub's, and
// the report that a person opens.
const (
	sumFile      = "gate.json"
	markdownFile = "gate.md"
	pageFile     = "gate.html"
)

// What is written of each: the record, a JUnit file, and a folder with the scenarios'
// ladders, drawings and captures.
const (
	recordFileName  = "record.json"
	junitFile       = "junit.xml"
	exchangesFolder = "exchanges"
)

// toWrite is the context for writing down what a run came to. One that was interrupted keeps
// what it has, unless it is interrupted again.
func toWrite(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return signal.NotifyContext(context.WithoutCancel(ctx), interrupts...)
}

// writeRun writes gate.json, gate.md and gate.html into a folder that has one for each
// record.
func writeRun(ctx context.Context, folder string, r report.Run) error {
	ctx, stop := toWrite(ctx)
	defer stop()
	if err := replaceUnless(ctx, filepath.Join(folder, sumFile), jsonOf(r.Gate())); err != nil {
		return err
	}
	if err := replaceUnless(ctx, filepath.Join(folder, markdownFile), r.WriteMarkdown); err != nil {
		return err
	}
	var beside report.Beside
	for _, record := range r.Records {
		beside.Folders = append(beside.Folders, folderOf(record))
	}
	beside.Orders = ordersBeside(folder, r)
	return replaceUnless(ctx, filepath.Join(folder, pageFile), func(w io.Writer) error { return r.WriteHTML(w, beside) })
}

// folderOf is the name of a kernel's folder.
func folderOf(record *report.Record) string {
	folder := folderFor(record.Kernel.Source)
	if role := record.Kernel.Role; role != "" {
		folder += "-" + string(role)
	}
	return folder
}

// unusual are the characters that artefact stores, other systems or shells do not take
// in a name.
var unusual = regexp.MustCompile(`[^0-9A-Za-z.+~_-]`)

// folderFor is the name of the folder for a kernel. For one that is named by a path it
// has the path's end, and a hash, as another path may end in the same.
func folderFor(source string) string {
	kind, path, found := strings.Cut(source, ":")
	if !found || strings.HasPrefix(source, "debian/") {
		return unusual.ReplaceAllString(source, "-")
	}
	const longest = 100
	end := unusual.ReplaceAllString(filepath.Base(path), "-")
	sum := sha256.Sum256([]byte(source))
	return fmt.Sprintf("%s-%.*s-%x", kind, longest, end, sum[:4])
}

// writeRecord writes what one kernel has shown into a folder of its own: the
// record, a JUnit file, and for each scenario its ladders, a drawing and captures.
func writeRecord(ctx context.Context, folder string, record *report.Record) error {
	ctx, stop := toWrite(ctx)
	defer stop()
	folder = filepath.Join(folder, folderOf(record))
	if err := replaceUnless(ctx, filepath.Join(folder, recordFileName), jsonOf(record)); err != nil {
		return err
	}
	if err := replaceUnless(ctx, filepath.Join(folder, junitFile), record.WriteJUnit); err != nil {
		return err
	}
	// What an earlier run left of scenarios that this one did not play would
	// pass for this one's.
	exchanges := filepath.Join(folder, exchangesFolder)
	if err := os.RemoveAll(exchanges); err != nil {
		return fmt.Errorf("clear the ladders of an earlier run: %w", err)
	}
	for _, s := range record.Scenarios {
		if len(s.Trials)+len(s.Observations) == 0 {
			continue
		}
		if err := writeLadders(ctx, exchanges, s); err != nil {
			return err
		}
		if err := writeCaptures(ctx, exchanges, record.Kernel, s); err != nil {
			return err
		}
		if err := writeDrawing(ctx, exchanges, record.Kernel, s); err != nil {
			return err
		}
	}
	return nil
}

// writeLadders writes what was exchanged in each trial of a scenario, or for each question.
func writeLadders(ctx context.Context, folder string, s report.Scenario) error {
	return replaceUnless(ctx, filepath.Join(folder, filepath.FromSlash(s.Name)+".txt"), func(w io.Writer) error {
		for _, t := range s.Trials {
			if _, err := io.WriteString(w, ladder.Text(t)); err != nil {
				return err
			}
		}
		for _, o := range s.Observations {
			if _, err := io.WriteString(w, o.Text()); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeDrawing draws the trial of a scenario by which it was judged, beside its
// ladders. Of a behaviour, what was exchanged is told in text only.
func writeDrawing(ctx context.Context, folder string, k report.Kernel, s report.Scenario) error {
	t := s.Judged()
	if t == nil {
		return nil
	}
	return replaceUnless(ctx, filepath.Join(folder, filepath.FromSlash(s.Name)+".svg"), func(w io.Writer) error {
		_, err := io.WriteString(w, ladder.SVG(s.Name, ladder.Panel{Kernel: k.String(), Trial: *t}))
		return err
	})
}

func content(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func jsonOf(v any) func(io.Writer) error {
	return func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	}
}

// An interruptible is written to until its context is done.
type interruptible struct {
	ctx context.Context
	io.Writer
}

// Write implements io.Writer.
func (i interruptible) Write(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.Writer.Write(p)
}

// replaceUnless is replace, unless the context is done before all is written: then the file
// is what it was.
func replaceUnless(ctx context.Context, path string, content func(io.Writer) error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("write %s: %w", path, context.Cause(ctx))
	}
	return replace(path, func(w io.Writer) error { return content(interruptible{ctx, w}) })
}

// replace writes a file in one go: a reader finds the old content or the new,
// never a part.
func replace(path string, content func(io.Writer) error) (err error) {
	fail := func(err error) error { return fmt.Errorf("write %s: %w", path, err) }
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fail(err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if err := content(file); err != nil {
		file.Close()
		return fail(err)
	}
	if err := file.Chmod(0o644); err != nil {
		file.Close()
		return fail(err)
	}
	if err := file.Close(); err != nil {
		return fail(err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fail(err)
	}
	return nil
}
