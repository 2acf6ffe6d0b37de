package suite

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
	. "github.com/finwait/finwait/harness/matchers"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// instead makes the test binary the suite of the specs below.
const instead = "FINWAIT_SUITE_INSTEAD"

func TestMain(m *testing.M) {
	if os.Getenv(instead) != "" {
		Main(m)
	}
	os.Exit(m.Run())
}

func TestTheSuiteInstead(t *testing.T) {
	if os.Getenv(instead) != "" {
		Run(t, "instead")
	}
}

// judged declares a spec that plays nothing, and says that a trial ended like that.
func judged(name string, race bool, trial teardown.Trial) {
	It(name, func() {
		for range Trials() {
			Judge(report.Entry{Name: name, Expected: teardown.Clean, Race: race}, trial, LeaveNothing())
		}
	})
}

func without(name string, err error) {
	It(name, func(ctx SpecContext) { Without(ctx, report.Entry{Name: name, Expected: teardown.Clean}, err) })
}

var (
	gone  = map[segment.Side]string{segment.Client: "CLOSE", segment.Server: "CLOSE"}
	stays = map[segment.Side]string{segment.Client: "CLOSE", segment.Server: "FIN_WAIT2"}
)

var _ = Describe("A suite", func() {
	judged("good", false, teardown.Trial{Outcome: teardown.Clean, States: gone, Exchange: &teardown.Exchange{}})
	judged("bad", false, teardown.Trial{Outcome: teardown.Retransmitted, States: gone, Exchange: &teardown.Exchange{}})
	judged("lasting", false, teardown.Trial{Outcome: teardown.Clean, States: stays, Exchange: &teardown.Exchange{}})
	judged("race", true, teardown.Trial{Outcome: teardown.Reset, States: gone, Exchange: &teardown.Exchange{}})
	judged("deaf", false, teardown.Trial{
		Outcome: teardown.Clean, States: gone,
		Exchange: &teardown.Exchange{Unheard: map[teardown.Source]string{teardown.SockOps: "no cgroup2"}},
	})
	without("lacking", &kernel.MissingCapability{Name: "netem", Err: errors.New("no such module")})
	without("broken", errors.New("the lab fell down"))
})

// played runs one of the specs, with more arguments, and returns what the suite prints.
func played(t *testing.T, spec string, args ...string) (output string, passed bool) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", append([]string{
		"--test.run=TestTheSuiteInstead", "--ginkgo.focus=(^| )" + spec + "$", "--ginkgo.fail-on-empty", "--ginkgo.no-color",
	}, args...)...)
	cmd.Env = append(os.Environ(), instead+"=1")
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), err == nil
}

func TestASuiteJudges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		spec   string
		args   []string
		passed bool
		says   string
	}{
		{"good", nil, true, "1 Passed"},
		{"bad", nil, false, "Expected the teardown to end as clean"},
		{"lasting", nil, false, "Expected the teardown to leave nothing of the connection"},
		{"race", nil, true, "1 Passed"},
		{"deaf", nil, true, "\nnot listened to: " + string(teardown.SockOps) + ": no cgroup2"},
		{"lacking", nil, true, "\nskipped lacking: the running kernel lacks netem: no such module"},
		{"lacking", []string{"--require-all"}, false, "the running kernel lacks netem: no such module (and --require-all was given)"},
		{"broken", nil, false, "the lab fell down"},
		{"good", []string{"--trials=0"}, false, "--trials 0: a scenario is played at least once"},
		{"good", []string{"--record=/proc/record"}, false, "open the file that --record names"},
	} {
		t.Run(strings.Join(append([]string{c.spec}, c.args...), " "), func(t *testing.T) {
			t.Parallel()
			output, passed := played(t, c.spec, c.args...)
			g := NewWithT(t)
			g.Expect(passed).To(Equal(c.passed), output)
			g.Expect(output).To(ContainSubstring(c.says))
		})
	}
}

func TestWhatFailsPointsAtTheSpec(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"bad", "lasting", "broken"} {
		output, _ := played(t, spec)
		NewWithT(t).Expect(output).To(MatchRegexp(`In \[It\] at: \S+/suite_test\.go:`))
	}
}

func TestASuiteThatRecordsJudgesNothing(t *testing.T) {
	t.Parallel()
	const lacks = "the running kernel lacks netem: no such module"
	for _, c := range []struct {
		spec   string
		args   []string
		passed bool
		want   []report.Entry
	}{
		{"good", []string{"--trials=2"}, true, []report.Entry{{Trial: &teardown.Trial{Outcome: teardown.Clean}}, {Trial: &teardown.Trial{Outcome: teardown.Clean}}}},
		{"bad", nil, true, []report.Entry{{Trial: &teardown.Trial{Outcome: teardown.Retransmitted}}}},
		{"lasting", nil, true, []report.Entry{{Trial: &teardown.Trial{Outcome: teardown.Clean, Unmet: []string{"to leave nothing of the connection"}}}}},
		{"race", nil, true, []report.Entry{{Race: true, Trial: &teardown.Trial{Outcome: teardown.Reset}}}},
		{"lacking", nil, true, []report.Entry{{Skipped: lacks}}},
		{"lacking", []string{"--require-all"}, false, []report.Entry{{Error: lacks}}},
		{"broken", nil, false, []report.Entry{{Error: "the lab fell down"}}},
	} {
		t.Run(strings.Join(append([]string{c.spec}, c.args...), " "), func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			file := filepath.Join(t.TempDir(), "record")
			output, passed := played(t, c.spec, append(c.args, "--record="+file)...)
			g.Expect(passed).To(Equal(c.passed), output)
			text, err := os.ReadFile(file)
			g.Expect(err).NotTo(HaveOccurred())
			lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
			g.Expect(lines).To(HaveLen(len(c.want) + 2))
			g.Expect(lines[0]).To(ContainSubstring(`"progress":{"done":0,"of":1}`))
			g.Expect(lines[len(lines)-1]).To(ContainSubstring(`"progress":{"done":1,"of":1}`))
			for i, want := range c.want {
				var got report.Entry
				g.Expect(json.Unmarshal([]byte(lines[i+1]), &got)).To(Succeed())
				g.Expect(got.Name).To(Equal(c.spec))
				g.Expect([]any{got.Race, got.Skipped, got.Error}).To(Equal([]any{want.Race, want.Skipped, want.Error}))
				g.Expect(got.Trial == nil).To(Equal(want.Trial == nil))
				if got.Trial != nil {
					g.Expect(got.Trial.Outcome).To(Equal(want.Trial.Outcome))
					g.Expect(got.Trial.Unmet).To(Equal(want.Trial.Unmet))
				}
			}
		})
	}
}
