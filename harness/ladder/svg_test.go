package ladder

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/finwait/finwait/harness/teardown"
)

// A box is where a text stands in a drawing.
type box struct {
	text                     string
	left, right, top, bottom float64
	class                    []string
}

// A drawing is what a reader finds in an SVG document.
type drawing struct {
	texts         []box
	elements      map[string]int
	title, desc   string
	width, height float64
}

func (d drawing) find(text string) (box, bool) {
	for _, b := range d.texts {
		if b.text == text {
			return b, true
		}
	}
	return box{}, false
}

// read parses a document. A letter is taken to be as wide as in a monospaced font,
// which is wider than the average of any other.
func read(svg string) (drawing, error) {
	d := drawing{elements: map[string]int{}}
	decoder := xml.NewDecoder(strings.NewReader(svg))
	var path []xml.StartElement
	var shifts [][2]float64 // of the elements in path
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return d, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			d.elements[token.Name.Local]++
			var shift [2]float64
			if len(shifts) > 0 {
				shift = shifts[len(shifts)-1]
			}
			if move := attribute(token, "transform"); move != "" {
				var x, y float64
				if _, err := fmt.Sscanf(move, "translate(%g %g)", &x, &y); err != nil {
					return d, fmt.Errorf("%s: %w", move, err)
				}
				shift[0], shift[1] = shift[0]+x, shift[1]+y
			}
			if token.Name.Local == "svg" {
				d.width, d.height = coordinate(token, "width"), coordinate(token, "height")
			}
			path, shifts = append(path, token), append(shifts, shift)
		case xml.EndElement:
			path, shifts = path[:len(path)-1], shifts[:len(shifts)-1]
		case xml.CharData:
			if len(path) == 0 {
				continue
			}
			switch in := path[len(path)-1]; in.Name.Local {
			case "title":
				d.title += string(token)
			case "desc":
				d.desc += string(token)
			case "text":
				d.texts = append(d.texts, boxOf(in, string(token), shifts[len(shifts)-1]))
			}
		}
	}
}

func boxOf(e xml.StartElement, text string, shift [2]float64) box {
	b := box{text: text, class: strings.Fields(attribute(e, "class"))}
	size := 11.0
	switch {
	case slices.Contains(b.class, "h"):
		size = 14
	case slices.Contains(b.class, "t"):
		size = 10
	}
	width := 0.6 * size * float64(utf8.RuneCountInString(text))
	x, y := coordinate(e, "x")+shift[0], coordinate(e, "y")+shift[1]
	b.left, b.right = x, x+width
	switch {
	case slices.Contains(b.class, "e"):
		b.left, b.right = x-width, x
	case slices.Contains(b.class, "m"):
		b.left, b.right = x-width/2, x+width/2
	}
	b.top, b.bottom = y-0.75*size, y+0.2*size
	return b
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func coordinate(e xml.StartElement, name string) float64 {
	f, _ := strconv.ParseFloat(attribute(e, name), 64)
	return f
}

// problems are what a reader would have with a drawing: texts upon each other, or
// outside.
func (d drawing) problems() []string {
	var out []string
	for i, a := range d.texts {
		if a.left < 0 || a.right > d.width || a.top < 0 || a.bottom > d.height {
			out = append(out, fmt.Sprintf("%q is outside", a.text))
		}
		for _, b := range d.texts[:i] {
			if a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom {
				out = append(out, fmt.Sprintf("%q is upon %q", a.text, b.text))
			}
		}
	}
	return out
}

func TestTextsDoNotOverlap(t *testing.T) {
	fixed := Panel{Kernel: "debian/trixie (6.12.118-1)", Trial: theCase(t, false)}
	for name, trial := range trials(t) {
		p := Panel{Kernel: "debian/bullseye (5.10.262-1)", Trial: trial}
		title := "overtaken-fin/server-shutdown/client-close-linger-5/ipv4/wire/early-retrans-0"
		for what, svg := range map[string]string{
			"alone": SVG(title, p), "beside the other": SVG(title, p, fixed), "below the other": StackedSVG(title, fixed, p),
		} {
			d, err := read(svg)
			if err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
				continue
			}
			if name == "unlikely" { // it has only to be valid
				continue
			}
			for _, problem := range d.problems() {
				t.Errorf("%s, %s: %s", name, what, problem)
			}
		}
	}
}

func TestTheReaderOfDrawingsFindsProblems(t *testing.T) {
	d, err := read(`<svg width="400" height="100"><g transform="translate(10 10)"><text x="0" y="20">abc</text></g>` +
		`<text class="e" x="25" y="32">abc</text><text class="m" x="10" y="90">outside</text></svg>`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(d.problems(), "; "), `"abc" is upon "abc"; "outside" is outside`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheCostIsInRed(t *testing.T) {
	d, err := read(SVG("overtaken-fin", Panel{Trial: theCase(t, true)}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"207.7 ms lost", "until the client's tail loss probe", "dropped by the server in", "retransmitted, closed in 267.9 ms"} {
		if b, found := d.find(want); !found || !slices.Contains(b.class, "bad") {
			t.Errorf("%q: found %v, class %v", want, found, b.class)
		}
	}
	if d, _ = read(SVG("overtaken-fin", Panel{Trial: theCase(t, false)})); strings.Contains(fmt.Sprint(d.texts), "lost") {
		t.Errorf("a kernel that lost no time lost some: %v", d.texts)
	}
}

// The segment that overtakes is marked where it does.
func TestWhatOvertakesIsMarked(t *testing.T) {
	for dropped, svg := range map[bool]string{
		true:  SVG("", Panel{Trial: theCase(t, true)}),
		false: SVG("", Panel{Trial: crossing(t)}),
	} {
		d, err := read(svg)
		if err != nil {
			t.Fatal(err)
		}
		rings := strings.Count(svg, `<circle class="o"`)
		if _, held := d.find("held for 60.04 ms"); held != dropped || rings > 0 != dropped {
			t.Errorf("where one overtakes: %v; %d are marked, and one is said to be held: %v", dropped, rings, held)
		}
	}
}

func TestTheStoryIsTold(t *testing.T) {
	d, err := read(SVG("overtaken-fin/ipv4", Panel{"old", theCase(t, true)}, Panel{"new", theCase(t, false)}))
	if err != nil {
		t.Fatal(err)
	}
	if d.title != "overtaken-fin/ipv4" {
		t.Errorf("the title is %q", d.title)
	}
	for _, want := range []string{
		"On old: At 0 µs, the client: shutdown(SHUT_WR).",
		"the client's . 2:2(0) ack 2 arrives: overtakes the FIN.",
		"In the end: retransmitted; the client closed in 267.854ms",
		"On new: ", "In the end: clean;",
	} {
		if !strings.Contains(d.desc, want) {
			t.Errorf("%q is not told: %s", want, d.desc)
		}
	}
}

func TestARecordCannotSpeakSVG(t *testing.T) {
	evil := `<script>alert(1)</script>"'&`
	p := Panel{Kernel: evil, Trial: unlikely(t)}
	for _, svg := range []string{SVG(evil, p), SVG(evil, p, p), StackedSVG(evil, p)} {
		d, err := read(svg)
		if err != nil {
			t.Fatal(err)
		}
		for element := range d.elements {
			if !slices.Contains([]string{"svg", "title", "desc", "style", "g", "rect", "path", "polygon", "circle", "text"}, element) {
				t.Errorf("there is an element %s", element)
			}
		}
		if d.title != evil {
			t.Errorf("the title became %q", d.title)
		}
	}
}

func TestTheFirstDifferenceIsAtOneHeight(t *testing.T) {
	longer := theCase(t, true) // up to there
	read724 := time.Second + 724*time.Microsecond
	longer.Exchange.Client.EOF = &read724
	d, err := read(SVG("overtaken-fin", Panel{"old", longer}, Panel{"new", theCase(t, false)}))
	if err != nil {
		t.Fatal(err)
	}
	var heights []float64
	for _, b := range d.texts {
		if b.text == "the first difference" {
			heights = append(heights, b.top)
		}
	}
	if len(heights) != 2 || heights[0] != heights[1] {
		t.Errorf("it is marked at %v", heights)
	}
	if d, _ = read(SVG("", Panel{"old", theCase(t, true)}, Panel{"old", theCase(t, true)})); strings.Contains(fmt.Sprint(d.texts), "difference") {
		t.Error("two that are the same differ")
	}
}

// A ladder stays small enough to stand in a page by the hundred.
func TestSize(t *testing.T) {
	if n := len(SVG("overtaken-fin/server-shutdown/ipv4", Panel{"debian/bullseye (5.10.262-1)", theCase(t, true)})); n > 9000 {
		t.Errorf("it takes %d octets", n)
	}
}

func FuzzDrawings(f *testing.F) {
	for _, trial := range trials(f) {
		f.Add("overtaken-fin/ipv4", recorded(f, trial), 80)
	}
	f.Fuzz(func(t *testing.T, title string, record []byte, width int) {
		var trial teardown.Trial
		if json.Unmarshal(record, &trial) != nil {
			t.Skip()
		}
		p := Panel{title, trial}
		for _, svg := range []string{SVG(title, p), SVG(title, p, p), StackedSVG(title, p, p)} {
			if _, err := read(svg); err != nil {
				t.Errorf("%v in\n%s", err, svg)
			}
		}
		for _, text := range []string{Page{Width: width}.Text(trial), Page{Width: width}.SideBySide(p, p)} {
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(line) - 1; width > 0 && n > width {
					t.Errorf("%d columns on a page of %d: %s", n, width, line)
				}
			}
		}
		Text(trial)
	})
}

func BenchmarkSVG(b *testing.B) {
	trial := theCase(b, true)
	for b.Loop() {
		SVG("overtaken-fin/server-shutdown/ipv4", Panel{"debian/bullseye (5.10.262-1)", trial})
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Millisecond), "ms/ladder")
}

func BenchmarkSideBySide(b *testing.B) {
	old, fixed := Panel{"old", theCase(b, true)}, Panel{"new", theCase(b, false)}
	for b.Loop() {
		SVG("overtaken-fin/server-shutdown/ipv4", old, fixed)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Millisecond), "ms/ladder")
}
