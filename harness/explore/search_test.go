package explore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

func search(t *testing.T, m *model, b Bounds) *Exploration {
	t.Helper()
	x, err := Search{Stage: m, Bounds: b, Workers: 3}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !x.Complete() {
		t.Errorf("a complete search covered %v", x.Covered)
	}
	if n := m.open.Load(); n != 0 {
		t.Errorf("%d executions were not closed", n)
	}
	return x
}

func teardowns() map[string]*model {
	all := map[string]*model{}
	for _, old := range []bool{false, true} {
		for _, calls := range [][2][]string{
			{{"shutdown"}, {"shutdown"}},
			{{"shutdown"}, {"close"}},
			{{"close"}, {"shutdown"}},
			{{"close"}, {"close"}},
			{{"write", "shutdown"}, {"shutdown"}},
		} {
			all[fmt.Sprintf("%v old=%v", calls, old)] = &model{calls: calls, old: old}
		}
	}
	return all
}

// faults are bounds that leave a model's space so small that all of it can be played.
func faults(m *model) []Bounds {
	if len(m.calls[segment.Client]) > 1 {
		return []Bounds{{}, {Drops: 1}}
	}
	return []Bounds{{}, {Drops: 1}, {Duplicates: 1}, {Drops: 2}}
}

// bruteForce are the texts of all orders, found without anything of what a search does.
func bruteForce(t *testing.T, m *model, left Bounds, prefix []Choice) []string {
	t.Helper()
	e, err := m.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range prefix {
		if err := e.Perform(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	enabled, _ := e.Enabled(t.Context())
	var orders []string
	over := true
	for _, next := range enabled {
		left := left
		switch next.Choice.Act {
		case Drop:
			left.Drops--
		case Duplicate:
			left.Duplicates--
		}
		if left.Drops < 0 || left.Duplicates < 0 {
			continue
		}
		over = false
		orders = append(orders, bruteForce(t, m, left, append(slices.Clone(prefix), next.Choice))...)
	}
	if over {
		return []string{text(prefix)}
	}
	return orders
}

func TestEveryOrderIsPlayedOnce(t *testing.T) {
	for name, m := range teardowns() {
		for _, b := range faults(m) {
			want := bruteForce(t, m, b, nil)
			b.All = true
			var got []string
			for _, o := range search(t, m, b).Orders {
				got = append(got, text(o.Choices()))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s %+v: a search plays %d orders, there are %d", name, b, len(got), len(want))
			}
		}
	}
}

// The reduction plays one order of each set of equivalent ones, the canonical one, and
// counts the others without playing them; what the ends experience is the same.
func TestReductionLosesNothing(t *testing.T) {
	for name, m := range teardowns() {
		for _, b := range faults(m) {
			some := search(t, m, b)
			b.All = true
			all := search(t, m, b)
			if len(all.Nondeterministic) > 0 {
				t.Errorf("%s %+v: equivalent orders went differently: %v", name, b, all.Nondeterministic[0])
			}
			if got, want := outcomes(some), outcomes(all); !maps.Equal(got, want) {
				t.Errorf("%s %+v: it finds %d outcomes, there are %d", name, b, len(got), len(want))
			}
			classes := map[string]bool{}
			for _, o := range all.Orders {
				classes[text(o.Canonical().Choices())] = true
			}
			for _, o := range some.Orders {
				if played := text(o.Choices()); !classes[played] || played != text(o.Canonical().Choices()) {
					t.Errorf("%s %+v: %q is not canonical, or was played twice", name, b, played)
				}
				delete(classes, text(o.Choices()))
			}
			if len(classes) > 0 {
				t.Errorf("%s %+v: not played: %q", name, b, slices.Sorted(maps.Keys(classes))[0])
			}
			if some.Executions+some.Saved != all.Executions || all.Saved != 0 || all.CutShort != 0 {
				t.Errorf("%s %+v: %d executions and %d saved, but %d are all", name, b, some.Executions, some.Saved, all.Executions)
			}
			t.Logf("%s %+v: %d executions (%d cut short) instead of %d, %d orders", name, b, some.Executions, some.CutShort, all.Executions, len(some.Orders))
		}
	}
}

// outcomes are what both ends experienced, and how it ended.
func outcomes(x *Exploration) map[string]bool {
	out := map[string]bool{}
	for _, o := range x.Orders {
		out[string(o.Result.Outcome)+"\n"+o.History(segment.Client)+"\n\n"+o.History(segment.Server)] = true
	}
	return out
}

func TestWorkersFindTheSame(t *testing.T) {
	for _, b := range []Bounds{{Drops: 1}, {Drops: 1, All: true}} {
		var want *Exploration
		for _, workers := range []int{1, 2, 16} {
			m := &model{calls: [2][]string{{"write", "close"}, {"shutdown"}}, old: true}
			got, err := Search{Stage: m, Bounds: b, Workers: workers}.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v: %d workers find something else than one", b, workers)
			}
		}
	}
}

func TestNondeterminismIsReportedWithBothTraces(t *testing.T) {
	m := &model{calls: [2][]string{{"shutdown"}, {"shutdown"}}, moody: 5}
	x, err := Search{Stage: m}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Nondeterministic) == 0 || x.Complete() || x.Covered == 0 || len(x.Orders) == 0 {
		t.Fatalf("it found %d orders, %v of the space, and %v", len(x.Orders), x.Covered, x.Nondeterministic)
	}
	n := x.Nondeterministic[0]
	if slices.Equal(n.First, n.Again) || len(n.Order) == 0 || !strings.Contains(strings.Join(n.Again, "\n"), "possible: deliver") {
		t.Errorf("it reports\n%s\nand\n%s", strings.Join(n.First, "\n"), strings.Join(n.Again, "\n"))
	}
}

// Where the ends share more than the wire, equivalent orders are not, and a search that
// plays all of them says so.
func TestSharedStateRefutesTheReduction(t *testing.T) {
	m := &model{calls: [2][]string{{"shutdown"}, {"shutdown"}}, shared: true}
	if x := search(t, m, Bounds{All: true}); len(x.Nondeterministic) == 0 {
		t.Error("equivalent orders that go differently were not noticed")
	}
}

func TestAnOrderThatIsNotTheSameAgain(t *testing.T) {
	m := &model{calls: [2][]string{{"shutdown"}, {"shutdown"}}}
	first := search(t, m, Bounds{}).Orders[0]
	if n, err := Again(t.Context(), m, first); n != nil || err != nil {
		t.Errorf("the same order is %v (%v)", n, err)
	}
	m.moody = 1
	if n, err := Again(t.Context(), m, first); n == nil || err != nil {
		t.Errorf("another order is %v (%v)", n, err)
	}
	other := first
	other.Moves = slices.Clone(first.Moves)
	other.Moves[0].Choice = Choice{Deliver, segment.Client, 9}
	if n, err := Again(t.Context(), m, other); n == nil || err != nil || !strings.Contains(strings.Join(n.Again, "\n"), "possible: call client") {
		t.Errorf("an order that is not possible is %v (%v)", n, err)
	}
}

func TestTooLargeIsRefused(t *testing.T) {
	m := &model{calls: [2][]string{{"write", "shutdown"}, {"write", "shutdown"}}}
	x, err := Search{Stage: m, Bounds: Bounds{Drops: 2, Duplicates: 2, All: true}, Workers: 2}.Run(t.Context())
	var large *TooLarge
	if !errors.As(err, &large) || large.Executions < Most || !strings.Contains(err.Error(), "allow fewer faults") {
		t.Errorf("it says %v", err)
	}
	if x.Executions != unasked || len(x.Orders) != unasked || x.Covered <= 0 || x.Covered > 0.1 {
		t.Errorf("it kept %d orders of %d executions, %v of the space", len(x.Orders), x.Executions, x.Covered)
	}
}

// The estimate is right within its error.
func TestEstimate(t *testing.T) {
	for _, b := range []Bounds{{Duplicates: 1}, {Drops: 1, All: true}, {Duplicates: 1, All: true}} {
		s := Search{Stage: &model{calls: [2][]string{{"shutdown"}, {"shutdown"}}}, Bounds: b, Workers: 2}
		estimate, err := s.estimate(t.Context(), s.Workers)
		if err != nil {
			t.Fatal(err)
		}
		x := search(t, s.Stage.(*model), b)
		if off := estimate.Executions - float64(x.Executions); off > 3*estimate.Deviation || off < -3*estimate.Deviation {
			t.Errorf("%+v takes %d executions, the estimate is %.0f and its error %.0f", b, x.Executions, estimate.Executions, estimate.Deviation)
		}
	}
}

func TestInterruptedKeepsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("that is enough")
	m := &model{calls: [2][]string{{"shutdown"}, {"shutdown"}}}
	told := 0
	x, err := Search{Stage: m, Bounds: Bounds{Duplicates: 1}, Found: func(Order, float64) error {
		if told++; told == 20 {
			cancel(enough)
		}
		return nil
	}}.Run(ctx)
	if !errors.Is(err, enough) || len(x.Orders) != 20 || x.Covered <= 0 || x.Complete() {
		t.Errorf("it says %v, keeps %d orders and has explored %v", err, len(x.Orders), x.Covered)
	}
	if n := m.open.Load(); n != 0 {
		t.Errorf("%d executions were not closed", n)
	}
}

func TestErrorsEndTheSearch(t *testing.T) {
	m := &model{calls: [2][]string{{"shutdown"}, {"shutdown"}}, failAt: 8}
	x, err := Search{Stage: m, Workers: 2}.Run(t.Context())
	if err == nil || err.Error() != "no more labs" || x.Complete() || len(x.Orders) == 0 {
		t.Errorf("it says %v and keeps %d orders", err, len(x.Orders))
	}
	if _, err := (Search{Stage: m, Bounds: Bounds{Drops: -1}}).Run(t.Context()); err == nil {
		t.Error("-1 drops are possible")
	}
	broken := errors.New("the file is full")
	if _, err := (Search{Stage: &model{calls: m.calls}, Found: func(Order, float64) error { return broken }}).Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("what was found could not be told, and it says %v", err)
	}
	_, err = Search{Stage: endless{}}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("of an order without end it says %v", err)
	}
}

// endless is a stage where each call is followed by another.
type endless struct{}

func (endless) Begin(context.Context) (Execution, error) { return endless{}, nil }
func (endless) Enabled(context.Context) ([]Enabled, error) {
	return []Enabled{{Choice{Call, segment.Client, 0}, "write"}}, nil
}
func (endless) Perform(context.Context, Choice) error { return nil }
func (endless) End(context.Context) (Result, error)   { return Result{Outcome: teardown.Clean}, nil }
func (endless) Close()                                {}

func TestChoices(t *testing.T) {
	for _, c := range []Choice{{Call, segment.Server, 0}, {Deliver, segment.Client, 2}, {Drop, segment.Client, 12}, {Duplicate, segment.Server, 1}} {
		if got, err := ParseChoice(c.String()); got != c || err != nil {
			t.Errorf("%v is read as %v (%v)", c, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                     "begin with one of call, deliver, drop, duplicate",
		"send client 1":        "begin with one of",
		"call":                 `want it like "call client"`,
		"call client 1":        `want it like "call client"`,
		"deliver client":       `want it like "deliver client 1"`,
		"deliver router 1":     `no side is called "router"`,
		"drop client 0":        "from 1 on",
		"duplicate client +1":  "from 1 on",
		"duplicate client 01":  "from 1 on",
		"deliver  client 1":    "want it like",
		"deliver client 1 ":    "want it like",
		"deliver client twice": "from 1 on",
	} {
		if _, err := ParseChoice(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestInvariants(t *testing.T) {
	for _, c := range []struct {
		path  string
		reset bool
		want  string
	}{
		{"ESTABLISHED>FIN_WAIT1>FIN_WAIT2>FIN_WAIT2 (timewait)>TIME_WAIT", false, ""},
		{"ESTABLISHED>FIN_WAIT1>FIN_WAIT1 (orphan)>CLOSING>TIME_WAIT", false, ""},
		{"ESTABLISHED>CLOSE_WAIT>LAST_ACK>CLOSE", false, ""},
		{"", false, ""},
		{"ESTABLISHED>CLOSE", true, ""},
		{"ESTABLISHED>CLOSE", false, "the server went from ESTABLISHED to CLOSE"},
		{"FIN_WAIT2>FIN_WAIT1", true, "the server went from FIN_WAIT2 to FIN_WAIT1"},
		{"FIN_WAIT2 (timewait)>FIN_WAIT2", false, "the server went from FIN_WAIT2 (timewait) to FIN_WAIT2"},
		{"CLOSE>TIME_WAIT", false, "the server went from CLOSE to TIME_WAIT"},
		{"LISTEN>CLOSE", true, "the server was in LISTEN, which is no state of a connection that ends"},
	} {
		var path []string
		if c.path != "" {
			path = strings.Split(c.path, ">")
		}
		if got := strings.Join(OffTheEdges(segment.Server, path, c.reset), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
	for _, c := range []struct{ sent, want string }{
		{"F. 1:1(0) ack 1; . 2:2(0) ack 2", ""},
		{"P. 1:101(100) ack 1; F. 101:101(0) ack 1; R 1:1(0)", ""},
		{". 2:2(0) ack 2; F. 1:1(0) ack 2", "the client sent F. 1:1(0) ack 2 after . 2:2(0) ack 2"},
		{"P. 1:101(100) ack 1; F. 100:100(0) ack 1", "the client sent F. 100:100(0) ack 1 after P. 1:101(100) ack 1"},
		{". 2:2(0) ack 2; . 2:2(0) ack 1", "the client sent . 2:2(0) ack 1 after . 2:2(0) ack 2"},
	} {
		var sent []segment.Segment
		for _, notation := range strings.Split(c.sent, "; ") {
			s, err := segment.Parse(notation)
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, s)
		}
		if got := strings.Join(Regressions(segment.Client, sent), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.sent, got, c.want)
		}
	}
	m := &model{calls: [2][]string{{"shutdown"}, {"close"}}, old: true}
	for _, o := range search(t, m, Bounds{Drops: 1, Duplicates: 1}).Orders {
		if len(o.Result.Broken) > 0 {
			t.Fatalf("%s breaks %q", text(o.Choices()), o.Result.Broken)
		}
	}
}
