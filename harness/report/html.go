package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// The page's parts. Everything that it needs is in it: it is opened from a disk, from a
// CI's artefacts or out of an e-mail, where nothing else may be there.
var (
	//go:embed page/page.html
	pageMarkup string
	//go:embed page/page.css
	pageStyle string
	//go:embed page/page.js
	pageScript string
)

var pageTemplate = template.Must(template.New("page").Parse(pageMarkup))

// Beside is what a page shows or leads to beside the run.
type Beside struct {
	// Folders are the records' as seen from the page, with slashes: what does not
	// fit into the page lies there. An empty one is not linked to.
	Folders []string
	// Orders are what the explorer found on the same kernels.
	Orders []Orders
}

// WriteHTML writes the run as one page: the verdicts, what changed, a table of scenarios
// and kernels, and for each scenario the ladders side by side and how to play it again.
func (r Run) WriteHTML(w io.Writer, beside Beside) error {
	return pageTemplate.Execute(w, r.page(beside))
}

// policy has a browser refuse whatever is not the page's own: a request, and a script
// that came out of a record.
func policy() string {
	sum := sha256.Sum256([]byte(pageScript))
	return "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// anchor is a scenario's name as an id: the same in each run, so that a link to it
// lasts. Names have no dots of their own.
func anchor(name string) string { return strings.ReplaceAll(name, "/", ".") }

// marks tell the changes apart without colours.
var marks = map[Change]string{Regressed: "▼", Improved: "▲", Differs: "≠", Unknown: "?", NotJudged: "~", NotPlayed: "–", Same: "="}

// class is a change or a verdict as a class of the style sheet.
func class[T ~string](t T) string { return strings.ReplaceAll(string(t), " ", "-") }

// plural is "1 scenario", "2 scenarios".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
