package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/finwait/finwait/harness/ladder"
)

// commentRoom is how long a text can be and still be a comment: GitHub takes 65536
// characters.
const commentRoom = 60_000

// WriteMarkdown writes the run for a job summary or a comment: the verdicts and what
// changed first, then, folded, the table, the remarks, and the ladders of what changed,
// as far as they fit.
func (r Run) WriteMarkdown(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# How these kernels end TCP connections: %s\n\n", r.Verdict())
	for i, c := range r.Comparisons {
		fmt.Fprintf(&out, "**%s**\n\n", cellText(c.Counts()))
		for _, g := range r.groups(i + 1) {
			fmt.Fprintf(&out, "- %s\n", cellText(g.inWords()))
		}
		fmt.Fprintln(&out)
	}
	r.foldTable(&out)
	if remarks := r.remarks(); len(remarks) > 0 {
		fold(&out, "Remarks", func() {
			for _, remark := range remarks {
				fmt.Fprintf(&out, "- %s\n", cellText(remark))
			}
		})
	}
	left := 0
	for i := range r.Comparisons {
		for _, g := range r.groups(i + 1) {
			if g.Change == Unknown {
				continue
			}
			if text := r.ladders(i+1, g); out.Len()+len(text) <= commentRoom {
				out.WriteString(text)
			} else {
				left++
			}
		}
	}
	if left > 0 {
		fmt.Fprintf(&out, "\nThere was no room for %s more; they are in gate.html.\n", plural(left, "pair")+" of ladders")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// fold writes what is to be seen when it is asked for.
func fold(out *strings.Builder, summary string, content func()) {
	fmt.Fprintf(out, "<details><summary>%s</summary>\n\n", summary)
	content()
	fmt.Fprint(out, "\n</details>\n\n")
}

// foldTable writes the table, or, where it is too long, what of it is not the same on
// all kernels.
func (r Run) foldTable(out *strings.Builder) {
	all := names(r.Records...)
	text, shown := r.table(all), len(all)
	if len(text) > commentRoom*2/3 {
		var changed []string
		for _, name := range all {
			for i := range r.Records {
				if change := r.change(i, name); change != "" && change != Same {
					changed = append(changed, name)
					break
				}
			}
		}
		text, shown = r.table(changed), len(changed)
	}
	if len(text) > commentRoom*2/3 {
		fmt.Fprintf(out, "The table of %s is in gate.html: it is too long for this place.\n\n", plural(len(all), "scenario"))
		return
	}
	summary := "All " + plural(len(all), "scenario")
	if shown < len(all) {
		summary = fmt.Sprintf("The %s that changed, of %d", plural(shown, "scenario"), len(all))
	}
	fold(out, summary, func() { out.WriteString(text) })
}

// table is some scenarios as a table.
func (r Run) table(names []string) string {
	var out strings.Builder
	for i, row := range r.gridOf(names) {
		for j := range row {
			row[j] = cellText(row[j])
		}
		fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&out, "|%s\n", strings.Repeat(" --- |", len(row)))
		}
	}
	return out.String()
}

// inWords is the group in a sentence.
func (g group) inWords() string {
	took, takes := between(g.Took), between(g.Takes)
	if took != "" || takes != "" {
		took, takes = " ("+cmp.Or(took, "not closed")+")", " ("+cmp.Or(takes, "not closed")+")"
	}
	text := fmt.Sprintf("%s %d %s: %s%s, now %s%s: %s", marks[g.Change], len(g.Names), g.Change, g.Before, took, g.After, takes, fewer(g.Patterns))
	if evidence := g.evidence(); evidence != "" {
		text += " (" + evidence + ")"
	}
	return text
}

// ladders shows a group by its plainest scenario on both kernels, folded.
func (r Run) ladders(i int, g group) string {
	var out strings.Builder
	name := g.plainest()
	summary := fmt.Sprintf("%s %s", cellText(name), g.Change)
	if n := len(g.Names); n > 1 {
		summary += fmt.Sprintf(", and %d more like it", n-1)
	}
	fold(&out, summary, func() {
		fmt.Fprintf(&out, "## %s %s\n", cellText(name), g.Change)
		writeLadder(&out, r.Records[0], name)
		writeLadder(&out, r.Records[i], name)
	})
	return out.String()
}

// writeLadder shows the trial by which a scenario was judged, or what was observed of
// a behaviour.
func writeLadder(out *strings.Builder, r *Record, name string) {
	s := r.find(name)
	if s.Observed != "" {
		fmt.Fprintf(out, "\n%s: %s\n\n```\n%s```\n", cellText(r.Kernel.String()), s.Observed, fenced(s.exchange()))
		return
	}
	if t := s.Judged(); t != nil {
		fmt.Fprintf(out, "\n%s\n\n```\n%s```\n", cellText(r.Kernel.String()), fenced(ladder.Text(*t)))
	}
}

// fenced keeps what a record says from ending the block that it is in.
func fenced(s string) string { return strings.ReplaceAll(s, "```", "'''") }

// cellText keeps what a record says from being taken for Markdown or HTML.
func cellText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "\n", " ", "\r", " ", "`", "'", "*", `\*`, "_", `\_`, "[", `\[`).Replace(s)
}

// codeText is cellText for what is to be shown as code, in which nothing can be escaped.
func codeText(s string) string {
	return "`" + strings.NewReplacer("|", "/", "`", "'", "\n", " ", "\r", " ").Replace(s) + "`"
}
