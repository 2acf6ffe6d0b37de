package ladder

import (
	"fmt"
	"strings"
	"time"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// drawPanel draws one exchange and returns its height.
func drawPanel(p Panel, l layout) (string, float64) {
	var out strings.Builder
	y := 0.0
	if p.Kernel != "" {
		y += 14
		text(&out, 12, y, "b", p.Kernel)
	}
	y += 15
	text(&out, 12, y, "b "+colourOf(p.Trial.Outcome), headline(p.Trial))
	y += 22
	text(&out, clientX, y, "b m cf", "client")
	text(&out, serverX, y, "b m sf", "server")
	y += 8
	fmt.Fprintf(&out, `<g transform="translate(0 %s)">`, number(y))
	l.draw(&out)
	out.WriteString("</g>")
	y += l.height + 14
	for _, note := range conclusions(p.Trial) {
		for _, part := range wrap(note, noteColumns) {
			y += lineHeight
			text(&out, 12, y, "f", part)
		}
	}
	return out.String(), y + 12
}

func (l layout) draw(out *strings.Builder) {
	l.drawFolds(out)
	fmt.Fprintf(out, `<path d="M%s 0V%s"/><path d="M%s 0V%s"/>`,
		number(clientX), number(l.height), number(serverX), number(l.height))
	for _, f := range l.folds {
		f.breakHosts(out)
	}
	for i := range l.rungs {
		if l.rungs[i].IsSegment {
			l.rungs[i].drawWay(out)
		}
	}
	for i := range l.rungs {
		if l.rungs[i].Overtaken {
			l.ring(out, l.rungs[i])
		}
	}
	for i := range l.rungs {
		l.rungs[i].drawText(out)
	}
	for _, f := range l.folds {
		f.drawText(out)
	}
	if l.differs > 0 {
		fmt.Fprintf(out, `<path class="d" d="M0 %sH%s"/>`, number(l.differs), number(panelWidth))
		text(out, (clientX+serverX)/2, l.differs-4, "n m odd", "the first difference")
	}
}

func (l layout) drawFolds(out *strings.Builder) {
	for _, f := range l.folds {
		class := "g"
		if f.cost != nil {
			class = "w"
		}
		fmt.Fprintf(out, `<rect class="%s" y="%s" width="%s" height="%s"/>`,
			class, number(f.top), number(panelWidth), number(f.bottom-f.top))
	}
}

// breakHosts breaks the hosts' lines, as what is not to scale is drawn.
func (f fold) breakHosts(out *strings.Builder) {
	y := (f.top + f.bottom) / 2
	for _, x := range []float64{clientX, serverX} {
		zigzag := fmt.Sprintf("M%s %sl-6 4l12 4l-12 4l6 4", number(x), number(y-8))
		fmt.Fprintf(out, `<path class="k" d="%s"/><path d="%s"/>`, zigzag, zigzag)
	}
}

func (f fold) drawText(out *strings.Builder) {
	const middle = (clientX + serverX) / 2
	y := (f.top+f.bottom)/2 + 4
	wait := inShort(f.to - f.from)
	switch {
	case f.cost == nil:
		text(out, middle, y, "n m", wait)
	case !f.main:
		text(out, middle, y, "n m bad", wait)
	default:
		if whole := inShort(f.cost.lost()); whole != wait && f.cost.lost() > (f.to-f.from)/100*101 {
			wait += " of " + whole
		}
		text(out, middle, y-5, "h m bad", wait+" lost")
		text(out, middle, y+9, "n m bad", "until the "+waitedFor(*f.cost.Again))
	}
}

// waitedFor says what ended a wait.
func waitedFor(r teardown.Retransmission) string {
	switch r.Timer {
	case teardown.TLP:
		return fmt.Sprintf("%v's tail loss probe", r.From)
	case teardown.RTO:
		return fmt.Sprintf("%v's retransmission timer", r.From)
	}
	return fmt.Sprintf("%v sends it again", r.From)
}

// x is where a side's line is, and dir which way from there to the other.
func x(s segment.Side) (at, dir float64) {
	if s == segment.Client {
		return clientX, 1
	}
	return serverX, -1
}

// drawWay draws how a segment went.
func (r *rung) drawWay(out *strings.Builder) {
	from, dir := x(r.By)
	to, _ := x(r.By.Peer())
	class := []string{"cs", "ss"}[r.By]
	head := []string{"cf", "sf"}[r.By]
	switch {
	case r.Lost:
		to = from + dir*(serverX-clientX)*0.6
		fmt.Fprintf(out, `<path class="%s" d="M%s %sL%s %s"/>`, class, number(from), number(r.leaves), number(to), number(r.arrives))
		cross(out, to, r.arrives)
		return
	case r.detours():
		hold := from + dir*holdX
		fmt.Fprintf(out, `<path class="%s held" d="M%s %sL%s %sV%s"/>`, class, number(from), number(r.leaves),
			number(hold), number(r.leaves+4), number(r.arrives-slant))
		fmt.Fprintf(out, `<path class="%s" d="M%s %sL%s %s"/>`, class, number(hold), number(r.arrives-slant), number(to), number(r.arrives))
	default:
		fmt.Fprintf(out, `<path class="%s" d="M%s %sL%s %s"/>`, class, number(from), number(r.leaves), number(to), number(r.arrives))
	}
	fmt.Fprintf(out, `<polygon class="%s" points="%s,%s %s,%s %s,%s"/>`, head, number(to), number(r.arrives),
		number(to-dir*8), number(r.arrives-4), number(to-dir*8), number(r.arrives+3.5))
	if r.Dropped {
		cross(out, to, r.arrives)
	}
}

// cross marks the end of what came no further.
func cross(out *strings.Builder, x, y float64) {
	fmt.Fprintf(out, `<path class="x" d="M%s %sl10 10m0 -10l-10 10"/>`, number(x-5), number(y-5))
}

// ring marks where others pass a segment that waits.
func (l layout) ring(out *strings.Builder, slow rung) {
	from, dir := x(slow.By)
	for i := range l.rungs {
		fast := &l.rungs[i]
		passes := fast.IsSegment && fast.By == slow.By && !fast.Overtaken && fast.leaves > slow.leaves && fast.arrives < slow.arrives && fast.Again == nil && !fast.Lost
		if passes {
			y := fast.leaves + (fast.arrives-fast.leaves)*holdX/(serverX-clientX)
			fmt.Fprintf(out, `<circle class="o" cx="%s" cy="%s" r="5"/>`, number(from+dir*holdX), number(y))
		}
	}
}

// drawText writes what a rung says, and in the margin when it was, or the state.
func (r *rung) drawText(out *strings.Builder) {
	r.drawRows(out, r.above, r.leaves)
	r.drawRows(out, r.end, r.arrives-mark{rung: r, arrival: true}.raised())
	side := r.By
	if r.IsSegment && !r.Lost {
		side = side.Peer()
	}
	at, dir := x(side)
	class := ""
	if side == segment.Client {
		class = " e"
	}
	if r.IsState {
		text(out, at-dir*8, r.arrives+4, "b"+class, r.Text)
		return
	}
	if !r.IsSegment {
		fmt.Fprintf(out, `<circle class="%s" cx="%s" cy="%s" r="3.5"/>`, []string{"cf", "sf"}[r.By], number(at), number(r.arrives))
	}
	text(out, at-dir*8, r.arrives+4, "t"+class, inShort(r.at))
}

// drawRows writes text above a height, beside whoever has the say.
func (r *rung) drawRows(out *strings.Builder, rows []row, y float64) {
	at, dir := x(r.By)
	end := ""
	if r.By == segment.Server {
		end = " e"
	}
	y -= 4
	if !r.IsSegment {
		y += 2
	}
	for i, row := range rows {
		class := []string{plain: "", remark: "n odd", costly: "n bad"}[row.tone]
		text(out, at+dir*textX, y-lineHeight*float64(len(rows)-1-i), strings.TrimSpace(class+end), row.text)
	}
}

func colourOf(o teardown.Outcome) string {
	switch o {
	case teardown.Clean:
		return "good"
	case teardown.Inconclusive:
		return "odd"
	}
	return "bad"
}

// headline is the outcome, and how long the end that took longer took.
func headline(t teardown.Trial) string {
	var took time.Duration
	for _, s := range segment.Sides {
		took = max(took, t.Latency[s], t.GivenUp[s])
	}
	switch {
	case t.Outcome == teardown.TimedOut && len(t.GivenUp) > 0:
		return fmt.Sprintf("%s, given up after %s", t.Outcome, inShort(took))
	case len(t.Latency) == len(segment.Sides):
		return fmt.Sprintf("%s, closed in %s", t.Outcome, inShort(took))
	}
	return string(t.Outcome)
}
