package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// A session is a run on some kernels. What the rounds show is added up.
type session struct {
	options
	images   []kernel.Image
	programs *programs.Set
	kernels  []inSession
}

// inSession is one kernel's part of a session.
type inSession struct {
	record   *report.Record // nil until it is begun
	evidence report.Evidence
	first    time.Duration // of the host's time, to the first spec of the last round
}

func newSession(o options, images []kernel.Image, p *programs.Set) *session {
	return &session{options: o, images: images, programs: p, kernels: make([]inSession, len(images))}
}

// play plays a round on each kernel.
func (s *session) play(ctx context.Context, r round) error {
	return s.onEach(ctx, s.images, func(i int, out *screen, indent string) error {
		err := s.playOn(ctx, i, r, out, indent)
		if len(s.kernels[i].record.Scenarios) == 0 {
			return err // nothing to keep, and an earlier run may have left more
		}
		return errors.Join(err, s.keep(ctx, s.kernels[i].record, out, indent))
	})
}

// begun are the records of the kernels that were begun.
func (s *session) begun() (records []*report.Record) {
	for i := range s.kernels {
		if record := s.kernels[i].record; record != nil {
			records = append(records, record)
		}
	}
	return records
}

// unsettled are the scenarios of which more trials can tell what became of them on one of
// the candidates.
func (s *session) unsettled() (names []string) {
	for _, c := range report.NewRun(s.begun(), s.baseline != "").Comparisons {
		names = append(names, c.Unsettled()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// played is how many trials each of the scenarios has, at least, on each kernel that
// plays it; without names, each that there is.
func (s *session) played(names []string) int {
	least := -1
	for _, record := range s.begun() {
		for _, scenario := range record.Scenarios {
			n := max(len(scenario.Trials), len(scenario.Observations))
			if asked := len(names) == 0 || slices.Contains(names, scenario.Name); asked && n > 0 && (least < 0 || n < least) {
				least = n
			}
		}
	}
	return max(0, least)
}

// scenarios is how many there are.
func (s *session) scenarios() (n int) {
	for _, record := range s.begun() {
		n = max(n, len(record.Scenarios))
	}
	return n
}

// begins is how long the slowest kernel took to its first spec.
func (s *session) begins() (longest time.Duration) {
	for i := range s.kernels {
		longest = max(longest, s.kernels[i].first)
	}
	return longest
}

// playOn runs the suite on one kernel. It prints each trial on a line that
// begins with the indent.
func (s *session) playOn(ctx context.Context, i int, r round, out *screen, indent string) error {
	image, k := s.images[i], &s.kernels[i]
	if k.record == nil {
		of := recorded(image)
		of.Role = roleOf(s.images, i)
		k.record = report.New(of, string(s.clockOf(image)))
		k.record.Environment = environment(image)
	}
	args := func(file string) []string { return s.suiteArgs(image, r, file) }
	far := out.begin(k.record.Kernel.Name())
	defer out.end(far)
	begun := time.Now()
	k.first = 0
	played := 0
	guest, err := s.runOn(ctx, image, s.programs, job{args, func(line []byte) error {
		var entry report.Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("the suite reported what is no entry of a record: %w", err)
		}
		if k.first == 0 {
			k.first = time.Since(begun)
		}
		if entry.Progress != nil {
			out.reach(far, *entry.Progress)
			played = entry.Progress.Done
			return nil
		}
		if err := k.take(entry); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s%s\n", indent, entry.Summary())
		return nil
	}, out.notices(indent)})
	k.record.Accelerator = string(guest.Accelerator)
	k.record.Kernel.Release = cmp.Or(k.record.Kernel.Release, guest.Release)
	if err != nil {
		k.record.Incomplete = firstLine(err.Error())
		return err
	}
	fmt.Fprintf(out, "%splayed %d, %s\n", indent, played, spent(k.first, time.Since(begun), guest))
	return nil
}

// take adds an entry to the record. A suite thins out what it reports, and does not know
// what the rounds before have shown.
func (k *inSession) take(entry report.Entry) error {
	thin, err := k.evidence.Thin(entry)
	if err != nil {
		return err
	}
	return k.record.Add(thin)
}

// spent tells what a kernel's part of a round took: of the host's time, and of the
// guest's, if there was a guest.
func spent(first, whole time.Duration, guest vm.Result) string {
	text := fmt.Sprintf("the first spec after %.1f s, all in %.1f s", first.Seconds(), whole.Seconds())
	switch {
	case guest.Release == "":
		return text
	case guest.Resumed:
		text += " (resumed)"
	default:
		text += " (booted)"
	}
	return text + fmt.Sprintf("; %.1f s of the guest's time", guest.Ran.Seconds())
}
