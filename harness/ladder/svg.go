package ladder

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/teardown"
)

// A Panel is one exchange in a drawing.
type Panel struct {
	// Kernel says where it was played; it may be empty.
	Kernel string
	Trial  teardown.Trial
}

const (
	panelWidth = 400.0
	// clientX and serverX are where the hosts' lines are, and gutter is between panels.
	clientX, serverX, gutter = 84.0, 316.0, 20.0
	// holdX is how far from its sender a segment that was overtaken waits, and textX
	// how far from a host text begins: beside what waits.
	holdX, textX = 11.0, 20.0
	// titleRow is a line of the title, which has room for titleColumns characters on a
	// panel.
	titleRow, titleColumns = 18.0, 43
	// noteColumns is how many characters go below an exchange.
	noteColumns = 57
)

// SVG draws exchanges of one scenario beside each other, on one scale and with the
// first difference between the first two marked, as an SVG document that needs
// nothing from outside. In an HTML page it can stand as it is.
func SVG(title string, panels ...Panel) string {
	return draw(title, panels, false)
}

// StackedSVG is SVG for a narrow page: the exchanges stand below each other.
func StackedSVG(title string, panels ...Panel) string {
	return draw(title, panels, true)
}

func draw(title string, panels []Panel, stacked bool) string {
	events := make([][]teardown.Event, len(panels))
	for i, p := range panels {
		if p.Trial.Exchange != nil {
			events[i] = p.Trial.Timeline()
		}
	}
	titleRows := wrap(title, titleColumns*max(1, beside(len(panels), stacked)))
	titleHeight := 12 + titleRow*float64(len(titleRows))
	var body strings.Builder
	for i, part := range titleRows {
		text(&body, 12, 20+titleRow*float64(i), "h", part)
	}
	width, height := panelWidth, titleHeight
	for i, l := range layAll(events, stacked) {
		x, y := float64(i)*(panelWidth+gutter), titleHeight
		if stacked {
			x, y = 0, height
		}
		panel, tall := drawPanel(panels[i], l)
		fmt.Fprintf(&body, `<g transform="translate(%s %s)">%s</g>`, number(x), number(y), panel)
		width, height = max(width, x+panelWidth), max(height, y+tall)
	}
	w, h := number(width), number(height)
	return `<svg xmlns="http://www.w3.org/2000/svg" class="tcp-ladder" role="img" viewBox="0 0 ` + w + " " + h +
		`" width="` + w + `" height="` + h + `"><title>` + escape(title) + "</title><desc>" + escape(story(panels, events)) + "</desc>" +
		style + `<rect class="p" width="100%" height="100%"/>` + body.String() + "</svg>\n"
}

// layAll lays exchanges out on one scale. Where the first two differ, both have that at
// one height, unless they stand below each other.
func layAll(events [][]teardown.Event, stacked bool) []layout {
	moments := make([][]time.Duration, len(events))
	first := make([]int, len(events))
	for i := range events {
		moments[i], first[i] = momentsOf(events[i]), -1
	}
	if len(events) > 1 {
		first[0], first[1] = firstDifference(events[0], events[1])
	}
	s := scaleOf(moments...)
	layouts := make([]layout, len(events))
	differ := 0.0
	for i := range events {
		layouts[i] = lay(events[i], s, first[i], 0)
		differ = max(differ, layouts[i].differs)
	}
	for i := range layouts {
		if layouts[i].differs > 0 && !stacked {
			layouts[i] = lay(events[i], s, first[i], differ)
		}
	}
	return layouts
}

// beside is how many panels stand beside each other.
func beside(panels int, stacked bool) int {
	if stacked {
		return 1
	}
	return panels
}

// text writes a text of a record's: it is escaped here, and nowhere else.
func text(out *strings.Builder, x, y float64, class, words string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(out, `<text%s x="%s" y="%s">%s</text>`, class, number(x), number(y), escape(words))
}

func escape(s string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(s)) // a Builder does not fail
	return out.String()
}

// number writes a coordinate to a tenth.
func number(f float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0")
}
