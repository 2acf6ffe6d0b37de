package report

import (
	"encoding/json"
	"html/template"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/ladder"
	"github.com/finwait/finwait/harness/teardown"
)

// A ladderView is what happened on one kernel, or on two side by side.
type ladderView struct {
	// Kernels are whose ladders these are, the baseline's first; AlsoOn are those
	// on which the second went the same way.
	Kernels []string
	AlsoOn  []string
	Ladder  template.HTML
	// Narrow is the same for a narrow screen, where there is one.
	Narrow template.HTML
	// Like is the scenario whose ladders are in the page because it went the same
	// way.
	Like *linkView
}

// room is how much of the page can be ladders: what is over is left to the files.
const room = 3 << 20

// drawings keep the page small: what went the same way is drawn once.
type drawings struct {
	bytes int
	first map[string]linkView
}

func newDrawings() *drawings { return &drawings{first: map[string]linkView{}} }

// A way is how a scenario went on some kernels.
type way struct {
	key string
	// trial is a scenario's, and observed a behaviour's, which has no trial.
	trial    *teardown.Trial
	observed []string
	kernels  []string
}

// ways are how a scenario went, the first record's first; kernels on which it went the
// same way, but for its times, share one.
func (r Run) ways(name string) (ways []way) {
	for _, record := range r.Records {
		w, ok := record.find(name).way()
		if !ok {
			continue
		}
		at := slices.IndexFunc(ways, func(other way) bool { return other.key == w.key })
		if at < 0 {
			at = len(ways)
			ways = append(ways, w)
		}
		ways[at].kernels = append(ways[at].kernels, record.Kernel.String())
	}
	return ways
}

// way is the scenario's typical trial, or observation; ok is false where there is no
// evidence of one.
func (s Scenario) way() (w way, ok bool) {
	for _, o := range s.Observations {
		if o.Answer == s.Observed {
			return way{key: s.Observed + "\n" + strings.Join(o.Exchange, "\n"), observed: o.Exchange}, true
		}
	}
	for _, t := range s.Trials {
		if t.Outcome == s.Outcome && t.Exchange != nil {
			key, err := json.Marshal(withoutFigures(t))
			return way{key: string(key) + t.Exchange.Client.Call + t.Exchange.Server.Call, trial: &t}, err == nil
		}
	}
	return way{}, false
}

// draw adds the scenario's ladders: the baseline's beside each that went another way.
func (v *scenarioView) draw(r Run, drawn *drawings) {
	ways := r.ways(v.Name)
	if len(ways) == 0 {
		return
	}
	pairs := [][]way{ways[:1]}
	for i := range ways[1:] {
		if i == 0 {
			pairs = nil
		}
		pairs = append(pairs, []way{ways[0], ways[i+1]})
	}
	changed := slices.ContainsFunc(v.changes, func(c Change) bool { return c != Same && c != NotJudged && c != NotPlayed })
	for _, pair := range pairs {
		key := ""
		view := ladderView{}
		for _, w := range pair {
			key += w.key
			view.Kernels = append(view.Kernels, w.kernels[0])
			view.AlsoOn = w.kernels[1:]
		}
		like, known := drawn.first[key]
		switch {
		case known && (!changed || drawn.bytes > room):
			view.Like = &like
		case drawn.bytes <= room:
			view.Ladder = ladders(v.Name, pair)
			drawn.bytes += len(view.Ladder)
			if !known {
				drawn.first[key] = linkView{v.Name, v.Anchor}
			}
		}
		v.Ladders = append(v.Ladders, view)
	}
}

// ladders draws ways side by side, with the first difference marked.
func ladders(title string, pair []way) template.HTML {
	if pair[0].trial == nil {
		return exchanges(pair)
	}
	return drawing(ladder.SVG(title, panels(pair)...))
}

func panels(pair []way) (panels []ladder.Panel) {
	for _, w := range pair {
		panels = append(panels, ladder.Panel{Kernel: w.kernels[0], Trial: *w.trial})
	}
	return panels
}

// A drawing brings its style sheet with it, which is every drawing's; the page has it
// once.
const styleBegins, styleEnds = "<style>", "</style>"

func drawing(svg string) template.HTML {
	before, rest, _ := strings.Cut(svg, styleBegins)
	_, after, _ := strings.Cut(rest, styleEnds)
	return template.HTML(before + after) // harness/ladder escapes what it writes
}

// drawingStyle is that style sheet.
func drawingStyle() string {
	_, rest, _ := strings.Cut(ladder.SVG(""), styleBegins)
	style, _, _ := strings.Cut(rest, styleEnds)
	return style
}

// exchanges show what was exchanged in observations of a behaviour, line by line.
func exchanges(pair []way) template.HTML {
	first := -1
	if len(pair) == 2 {
		first = firstLine(pair[0].observed, pair[1].observed)
	}
	var out strings.Builder
	for _, w := range pair {
		out.WriteString(`<figure><figcaption>`)
		template.HTMLEscape(&out, []byte(w.kernels[0]))
		out.WriteString(`</figcaption><pre tabindex="0">`)
		for i, line := range w.observed {
			if i == first {
				out.WriteString("<mark>")
			}
			template.HTMLEscape(&out, []byte(line))
			if i == first {
				out.WriteString("</mark>")
			}
			out.WriteByte('\n')
		}
		out.WriteString("</pre></figure>")
	}
	return template.HTML(out.String()) // escaped above
}

// firstLine is the first in which two texts differ.
func firstLine(a, b []string) int {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return i
}
