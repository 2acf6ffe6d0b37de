package explore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/harness/teardown"
	"github.com/finwait/finwait/topologies"
)

// perform makes the choices, written as Choice.String does.
func perform(t *testing.T, x explore.Execution, choices ...string) {
	t.Helper()
	for _, text := range choices {
		c, err := explore.ParseChoice(text)
		if err == nil {
			err = x.Perform(t.Context(), c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func begin(t *testing.T, stage *explore.Live) explore.Execution {
	t.Helper()
	t.Cleanup(stage.Close)
	x, err := stage.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

func end(t *testing.T, x explore.Execution) explore.Result {
	t.Helper()
	r, err := x.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A trial is one execution, and what else was possible at each choice.
type trial struct {
	choices  []explore.Choice
	possible [][]explore.Choice
	result   explore.Result
}

// play makes the choices of a prefix, and from then on the first that is possible; drops
// are so many faults that it may choose.
func play(ctx context.Context, stage explore.Stage, prefix []explore.Choice, drops int) (trial, error) {
	x, err := stage.Begin(ctx)
	if err != nil {
		return trial{}, err
	}
	defer x.Close()
	var tr trial
	for {
		enabled, err := x.Enabled(ctx)
		if err != nil {
			return tr, err
		}
		var choices []explore.Choice
		for _, e := range enabled {
			if e.Choice.Act < explore.Drop || e.Choice.Act == explore.Drop && drops > 0 {
				choices = append(choices, e.Choice)
			}
		}
		if len(choices) == 0 {
			tr.result, err = x.End(ctx)
			return tr, err
		}
		next := choices[0]
		if n := len(tr.choices); n < len(prefix) {
			next = prefix[n]
			if !slices.Contains(choices, next) {
				return tr, fmt.Errorf("after %v, %v is not possible, but %v", tr.choices, next, choices)
			}
		}
		if err := x.Perform(ctx, next); err != nil {
			return tr, err
		}
		if next.Act == explore.Drop {
			drops--
		}
		tr.choices, tr.possible = append(tr.choices, next), append(tr.possible, choices)
	}
}

// every plays every order once.
func every(ctx context.Context, stage explore.Stage, drops int, seen func(trial) error) error {
	for pending := [][]explore.Choice{nil}; len(pending) > 0; {
		prefix := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		tr, err := play(ctx, stage, prefix, drops)
		if err == nil {
			err = seen(tr)
		}
		if err != nil {
			return err
		}
		for i := len(prefix); i < len(tr.choices); i++ {
			for _, other := range tr.possible[i][1:] {
				pending = append(pending, append(slices.Clone(tr.choices[:i]), other))
			}
		}
	}
	return nil
}

// endings are the ways to end a connection that the acceptance names.
var endings = []struct {
	name string
	as   scenario.Behaviour
}{
	{"shutdown", scenario.Behaviour{Closing: sock.ShutdownWrite}},
	{"close", scenario.Behaviour{Closing: sock.Close}},
	{"close-120", scenario.Behaviour{Closing: sock.Close, Sysctls: map[string]string{"net.ipv4.tcp_fin_timeout": "120"}}},
	{"both", scenario.Behaviour{Closing: sock.ShutdownBoth}},
}

// tally counts outcomes.
type tally map[teardown.Outcome]int

// Every order of every pair of endings is the same whenever it is played, and no
// invariant is broken. Where the kernel refuses a FIN that its ACK has overtaken, and only
// there, an order needs a retransmission.
func TestLiveOrdersAreDeterministic(t *testing.T) {
	for _, client := range endings {
		for _, server := range endings {
			t.Run(client.name+"/"+server.name, func(t *testing.T) {
				t.Parallel()
				stage := &explore.Live{Family: topologies.IPv4, Client: client.as, Server: server.as}
				defer stage.Close()
				count, begun := tally{}, time.Now()
				if err := every(t.Context(), stage, 0, func(first trial) error {
					count[first.result.Outcome]++
					examine(t, first)
					for range 2 {
						again, err := play(t.Context(), stage, first.choices, 0)
						if err != nil {
							return err
						}
						if !reflect.DeepEqual(first, again) {
							t.Errorf("%v\nwas once\n%s\nand then\n%s", first.choices, account(first), account(again))
						}
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				t.Logf("orders: %v, each played 3 times in %v", count, time.Since(begun).Round(time.Millisecond))
			})
		}
	}
}

// examine holds one execution without faults against what has to be.
func examine(t *testing.T, tr trial) {
	t.Helper()
	refused := slices.ContainsFunc(tr.result.Steps, func(s string) bool {
		// Its FIN is delivered, and the answer asks for it again.
		return strings.HasPrefix(s, "deliver client 1 (F.") && strings.HasSuffix(s, "ack 4416)") ||
			strings.HasPrefix(s, "deliver server 1 (F.") && strings.HasSuffix(s, "ack 753)")
	})
	want := teardown.Clean
	if refused {
		want = teardown.Retransmitted
	}
	if tr.result.Outcome != want || len(tr.result.Broken) > 0 {
		t.Errorf("want it %s:\n%s", want, account(tr))
	}
}

func account(tr trial) string {
	return fmt.Sprintf("%s, %v, broken %q:\n\t%s", tr.result.Outcome, tr.result.States, tr.result.Broken, strings.Join(tr.result.Steps, "\n\t"))
}

// With one segment dropped, each order is deterministic too.
func TestLiveOrdersWithADrop(t *testing.T) {
	stage := &explore.Live{Family: topologies.IPv6, Server: scenario.Behaviour{Closing: sock.Close}}
	defer stage.Close()
	count := tally{}
	if err := every(t.Context(), stage, 1, func(first trial) error {
		count[first.result.Outcome]++
		if len(first.result.Broken) > 0 {
			t.Error(account(first))
		}
		again, err := play(t.Context(), stage, first.choices, 1)
		if !reflect.DeepEqual(first, again) {
			t.Errorf("%v\nwas once\n%s\nand then\n%s", first.choices, account(first), account(again))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Log(count)
	if count[teardown.Retransmitted] == 0 || count[teardown.Clean] == 0 {
		t.Error("want some orders that need a retransmission, and some that do not")
	}
}

// What an end says before its FIN arrives whole whatever comes first; a part of the orders
// has to do.
func TestLiveOrdersWithLastWords(t *testing.T) {
	enough := errors.New("enough")
	stage := &explore.Live{Family: topologies.IPv4, Client: scenario.Behaviour{LastWords: 700}}
	defer stage.Close()
	count, played := tally{}, 0
	if err := every(t.Context(), stage, 0, func(first trial) error {
		count[first.result.Outcome]++
		if len(first.result.Broken) > 0 || first.result.Outcome == teardown.Inconclusive {
			t.Error(account(first))
		}
		again, err := play(t.Context(), stage, first.choices, 0)
		if !reflect.DeepEqual(first, again) {
			t.Errorf("%v\nwas once\n%s\nand then\n%s", first.choices, account(first), account(again))
		}
		if played++; err == nil && played == 100 {
			err = enough
		}
		return err
	}); !errors.Is(err, enough) {
		t.Error(err)
	}
	t.Log(count)
}

// An order that is said to need a retransmission gets one, and the teardown ends by it.
func TestLiveRetransmissionsComeWhenWaitedFor(t *testing.T) {
	overtaken := []string{"call client", "call server", "deliver server 1", "deliver client 2", "deliver client 1", "deliver server 2"}
	for name, c := range map[string]struct {
		choices []string
		again   string
	}{
		"overtaken FIN":   {overtaken, "client F. 4416:4416(0)"},
		"lost FIN":        {[]string{"call server", "call client", "drop client 1", "deliver server 1", "deliver client 2"}, "client F. 4416:4416(0)"},
		"lost FINs":       {[]string{"call server", "call client", "drop client 1", "drop server 1"}, "client F. 4416:4416(0)"},
		"lost last ACK":   {[]string{"call client", "deliver client 1", "deliver server 1", "call server", "deliver server 2", "drop client 2"}, "server F. 753:753(0)"},
		"lost half-close": {[]string{"call client", "drop client 1", "call server", "drop server 1"}, "server F. 753:753(0)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := begin(t, &explore.Live{Family: topologies.IPv4, RTOMin: 300 * time.Millisecond})
			perform(t, x, c.choices...)
			r := end(t, x)
			if r.Outcome == teardown.Clean && name == "overtaken FIN" {
				t.Skip("this kernel accepts it")
			}
			if r.Outcome != teardown.Retransmitted {
				t.Fatalf("%s %v", r.Outcome, r.States)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			again, err := x.(explore.Patient).WaitOut(ctx)
			if err != nil || !slices.ContainsFunc(again, func(s string) bool { return strings.HasPrefix(s, c.again) }) {
				t.Errorf("sent again: %q, %v; want %q", again, err, c.again)
			}
		})
	}
}

// Every family is there, and a process of its own can be the one that ends.
func TestLiveFamiliesAndOwners(t *testing.T) {
	for _, family := range []topologies.Family{topologies.IPv4, topologies.IPv6, topologies.IPv4Mapped} {
		for _, closing := range []sock.Closing{sock.Exit, sock.Kill, sock.Close} {
			x := begin(t, &explore.Live{Family: family, Server: scenario.Behaviour{Closing: closing}})
			perform(t, x, "call server", "deliver server 1", "call client", "deliver client 1", "deliver client 2", "deliver server 2")
			if r := end(t, x); r.Outcome != teardown.Clean || r.States[segment.Server] != "TIME_WAIT" || len(r.Broken) > 0 {
				t.Errorf("%s over %s: %+v", closing.Name, family, r)
			}
		}
	}
}

// A call that asks for a RST gets one, and no invariant is broken.
func TestLiveResetThatWasAskedFor(t *testing.T) {
	x := begin(t, &explore.Live{Family: topologies.IPv4, Server: scenario.Behaviour{Closing: sock.CloseLingering(0)}})
	perform(t, x, "call server", "call client", "deliver server 1")
	if r := end(t, x); r.Outcome != teardown.Reset || r.States[segment.Client] != "CLOSE" || len(r.Broken) > 0 {
		t.Errorf("%+v", r)
	}
}

// A connection that nothing ends any more is stuck, and that is told.
func TestLiveStuck(t *testing.T) {
	x := begin(t, &explore.Live{Family: topologies.IPv4, Server: scenario.Behaviour{Closing: sock.CloseLingering(0)}})
	perform(t, x, "call client", "deliver client 1", "deliver server 1", "call server", "drop server 2")
	r := end(t, x)
	want := []string{"the client is in FIN_WAIT2, which no timer ends"}
	if r.Outcome != teardown.Stuck || r.States[segment.Client] != "FIN_WAIT2" || !slices.Equal(r.Broken, want) {
		t.Errorf("%+v", r)
	}
}

// What came because an execution took too long is not taken for an answer.
func TestLiveExecutionThatIsTooSlow(t *testing.T) {
	x := begin(t, &explore.Live{Family: topologies.IPv4, RTOMin: 20 * time.Millisecond})
	perform(t, x, "call client")
	var err error
	for give := time.Now().Add(30 * time.Second); err == nil && time.Now().Before(give); {
		_, err = x.Enabled(t.Context())
	}
	if !errors.Is(err, explore.ErrTooSlow) || !strings.Contains(err.Error(), "client sent F. 4416:4416(0) ack 753 by itself") {
		t.Errorf("it says %v", err)
	}
}

func TestLiveRefusesWhatCannotBe(t *testing.T) {
	stage := &explore.Live{Family: topologies.IPv4, Client: scenario.Behaviour{Closing: sock.CloseLingering(5)}}
	if _, err := stage.Begin(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be explored") {
		t.Errorf("a call that blocks: %v", err)
	}
	stage.Close()
	if _, err := stage.Begin(t.Context()); err == nil {
		t.Error("a closed stage began an execution")
	}
	x := begin(t, &explore.Live{Family: topologies.IPv4})
	for _, c := range []explore.Choice{{explore.Deliver, segment.Client, 1}, {explore.Drop, segment.Server, 0}} {
		if err := x.Perform(t.Context(), c); err == nil || !strings.Contains(err.Error(), "keeps no segment") {
			t.Errorf("%v: %v", c, err)
		}
	}
}
