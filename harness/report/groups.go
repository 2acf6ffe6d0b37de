package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// A group is scenarios that changed alike: a kernel that drops one FIN drops it in
// dozens of them, and that is one thing to know.
type group struct {
	Change Change
	// Before and After are what happened on the baseline and on the candidate.
	Before, After string
	// Names are the scenarios', and Patterns the same in fewer words.
	Names    []string
	Patterns []string
	// Took and Takes are the latencies on the baseline and on the candidate.
	Took, Takes []time.Duration
	// Evidence is in how many of the trials it was so, or which time moved: as each of
	// the scenarios has it, once.
	Evidence []string
}

// groups are what changed from the first record to the i-th, what a reader has to
// know first coming first: by the change, then by how many scenarios it is about.
func (r Run) groups(i int) []group {
	var groups []group
	all := names(r.Records[0], r.Records[i])
	for _, change := range []Change{Regressed, Unknown, Improved, Differs} {
		var found []group
		for _, row := range r.Comparisons[i-1].With(change) {
			before, after := r.Records[0].find(row.Name), r.Records[i].find(row.Name)
			told, tells := unmetToo(before.told(), before), unmetToo(after.told(), after)
			at := slices.IndexFunc(found, func(g group) bool { return g.Before == told && g.After == tells })
			if at < 0 {
				at = len(found)
				found = append(found, group{Change: change, Before: told, After: tells})
			}
			g := &found[at]
			g.Names = append(g.Names, row.Name)
			if row.evidence != "" && !slices.Contains(g.Evidence, row.evidence) {
				g.Evidence = append(g.Evidence, row.evidence)
			}
			g.Took, g.Takes = append(g.Took, before.latencies()...), append(g.Takes, after.latencies()...)
		}
		slices.SortStableFunc(found, func(a, b group) int { return len(b.Names) - len(a.Names) })
		groups = append(groups, found...)
	}
	for i := range groups {
		groups[i].Patterns = patterns(groups[i].Names, all)
	}
	return groups
}

// plainest is the scenario of a group with the shortest name, which has the least in it
// that is not to the point.
func (g group) plainest() string {
	return slices.MinFunc(g.Names, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// evidence is that of the scenarios, or of the first where it is not the same for all.
func (g group) evidence() string {
	switch len(g.Evidence) {
	case 0:
		return ""
	case 1:
		return g.Evidence[0]
	}
	return g.Evidence[0] + ", and the like"
}

// latencies are those of the end that took longer, if both closed; of several trials,
// the least, the median and the greatest.
func (s Scenario) latencies() []time.Duration {
	took, ok := distribute(s.Trials).slower()
	if !ok {
		return nil
	}
	return []time.Duration{took.Min, took.Median, took.Max}
}

func unmetToo(told string, s Scenario) string {
	if wishes := s.unmet(); len(wishes) > 0 {
		return told + "; it was " + wishes[0] + ", and did not"
	}
	return told
}

// told says how a scenario ended and why, without figures: the same words for what
// happened alike in other scenarios.
func (s Scenario) told() string {
	switch {
	case s.Error != "", s.Skipped != "":
		return s.outcome() + ": " + s.whyNot()
	case len(s.Observations) > 0 && s.Observed == "":
		return string(Unknown) + ": " + s.whyNot()
	case len(s.Observations) > 0:
		return s.answered()
	case s.Outcome == "":
		return "not played"
	case s.Outcome == teardown.Inconclusive:
		return string(s.Outcome) + ": " + s.whyNot()
	}
	told, t := string(s.Outcome), s.Judged()
	if t == nil {
		return told
	}
	if len(t.Retransmissions) > 0 {
		told += ": " + resent(t.Retransmissions[0])
	}
	if s.Outcome == teardown.Stuck {
		for _, side := range segment.Sides {
			if t.ChallengeACKs[side] > 0 {
				return fmt.Sprintf("%s: the %v answered with a challenge ACK", told, side)
			}
		}
	}
	return told
}

// resent is "the server in FIN_WAIT2 dropped the client's FIN, which the tlp sent again".
func resent(r teardown.Retransmission) string {
	what := "segment"
	if r.FIN {
		what = "FIN"
	}
	text := fmt.Sprintf("the %v's %s was not answered", r.From, what)
	switch {
	case r.Cause.By == "network":
		text = fmt.Sprintf("the network lost the %v's %s, or its ACK", r.From, what)
	case r.Cause.By != "" && r.Cause.State != "":
		text = fmt.Sprintf("the %s in %s dropped the %v's %s", r.Cause.By, r.Cause.State, r.From, what)
	case r.Cause.By != "":
		text = fmt.Sprintf("the %s dropped the %v's %s", r.Cause.By, r.From, what)
	}
	if r.Timer != "" {
		text += fmt.Sprintf(", which the %s sent again", r.Timer)
	}
	return text
}

// patterns are names in fewer words: "overtaken-fin/server-shutdown/... (34)" stands
// for all 34 of all names that begin so, "lost-fin/... (3 of 20)" for some.
func patterns(chosen, all []string) (out []string) {
	for _, family := range prefixes(chosen, 1) {
		if n := beginning(chosen, family); n == beginning(all, family) && n > 1 {
			out = append(out, fmt.Sprintf("%s/... (%d)", family, n))
			continue
		}
		for _, kind := range prefixes(chosen, 2) {
			if !within(kind, family) {
				continue
			}
			switch n, of := beginning(chosen, kind), beginning(all, kind); n {
			case 1:
				out = append(out, chosen[slices.IndexFunc(chosen, func(name string) bool { return within(name, kind) })])
			case of:
				out = append(out, fmt.Sprintf("%s/... (%d)", kind, n))
			default:
				out = append(out, fmt.Sprintf("%s/... (%d of %d)", kind, n, of))
			}
		}
	}
	return out
}

// prefixes are the first so many parts of the names, each once.
func prefixes(names []string, parts int) (out []string) {
	for _, name := range names {
		words := strings.Split(name, "/")
		prefix := strings.Join(words[:min(parts, len(words))], "/")
		if !slices.Contains(out, prefix) {
			out = append(out, prefix)
		}
	}
	return out
}

func within(name, prefix string) bool { return name == prefix || strings.HasPrefix(name, prefix+"/") }

func beginning(names []string, prefix string) (n int) {
	for _, name := range names {
		if within(name, prefix) {
			n++
		}
	}
	return n
}

// between is "0.8 ms", or "0.8 to 60.1 ms"; empty where there is none.
func between(durations []time.Duration) string {
	if len(durations) == 0 {
		return ""
	}
	least, most := milliseconds(slices.Min(durations)), milliseconds(slices.Max(durations))
	if least == most {
		return most
	}
	return strings.TrimSuffix(least, " ms") + " to " + most
}
