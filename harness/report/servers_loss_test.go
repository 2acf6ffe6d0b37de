package report

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/teardown"
)

func TestExposedOnlyIfTheServersKernelDroppedIt(t *testing.T) {
	for name, c := range map[string]struct {
		trials trials
		want   string
	}{
		"dropped":                   {trials{lossy(shutdownWrite, "server", 206*ms)}, "**exposed**, 206 ms"},
		"dropped twice":             {trials{lossy(shutdownWrite, "server", 200*ms, 400*ms)}, "**exposed**, 600 ms"},
		"dropped in some trials":    {trials{lossy(closing, "server", 204*ms), ended(clean, closing), lossy(closing, "server", 208*ms)}, "**exposed**, 204 to 208 ms in 2 of 3 trials"},
		"dropped, and inconclusive": {trials{ended(inconclusive, closing), lossy(closing, "server", 204*ms)}, "**exposed**, 204 ms in 1 of 2 trials"},
		"lost by the network":       {trials{lossy(shutdownWrite, "network", 206*ms)}, "not exposed, retransmitted"},
		"reset":                     {trials{ended(teardown.Reset, closing)}, "not exposed, reset"},
		"clean":                     {trials{ended(clean, closing), ended(clean, closing)}, "not exposed"},
		"inconclusive":              {trials{ended(inconclusive, closing)}, "inconclusive"},
		"inconclusive once":         {trials{ended(clean, closing), ended(inconclusive, closing)}, "clean 1, inconclusive 1"},
		"inconclusive, and stuck":   {trials{ended(teardown.Stuck, closing), ended(inconclusive, closing)}, "stuck 1, inconclusive 1"},
		"nothing":                   {nil, "not played"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := recordOf(oldKernel, map[string][]*teardown.Trial{"nginx/lingering-close-off/overtaken-fin": c.trials})
			page, rows := pageOf(t, twoOfNginx[:1], r)
			g.Expect(rows[1]).To(HaveLen(4), "one kernel")
			g.Expect(rows[1][3]).To(Equal(c.want))
			if r.find("nginx/lingering-close-off/overtaken-fin").Outcome == inconclusive {
				g.Expect(page).To(ContainSubstring("because the taps did not see the handshake"))
			}
		})
	}
}

func TestRemedied(t *testing.T) {
	of := func(list ...*teardown.Trial) Scenario {
		return recordOf(oldKernel, map[string][]*teardown.Trial{"a/b/c": list}).find("a/b/c")
	}
	lost, quick, good := of(lossy(closing, "server", 206*ms)), of(lossy(closing, "server", 52*ms)), of(ended(clean, closing))
	reset, open := of(ended(teardown.Reset, closing)), of(ended(inconclusive, closing))
	once := of(ended(inconclusive, closing), lossy(closing, "server", 206*ms))
	for _, c := range []struct {
		without, with Scenario
		want          string
	}{
		{lost, good, "helps"},
		{lost, reset, "helps, but reset"},
		{lost, quick, "it is lost all the same, but costs less: 52 ms instead of 206 ms"},
		{good, lost, "makes it worse: sent again after 206 ms, and without it clean"},
		{once, quick, "it is lost all the same, but costs less: 52 ms instead of 206 ms in 1 of 2 trials"},
		{good, good, "changes nothing: clean"},
		{good, reset, "reset instead of clean"},
		{lost, open, "inconclusive; without it sent again after 206 ms"},
		{open, good, "clean; without it inconclusive"},
		{lost, of(), "not played; without it sent again after 206 ms"},
	} {
		NewWithT(t).Expect(remedied(c.without, c.with)).To(Equal(c.want))
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		53 * ms: "0.1 s", 5320 * ms: "5.3 s", 9990 * ms: "10 s", 65300 * ms: "65 s", 99700 * ms: "100 s", 107608 * ms: "110 s",
		107950 * ms: "110 s", 946 * time.Second: "950 s", 7213 * time.Second: "7200 s",
	} {
		NewWithT(t).Expect(roughly(d)).To(Equal(want))
	}
}
