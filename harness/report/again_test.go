package report

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/types"
)

// Each filter is held against Ginkgo's own reading of it.
func TestAFilterLeavesOneScenario(t *testing.T) {
	all := []string{
		"behaviour/rto-min", "lost-fin/client/server-close/ipv4/wire", "lost-fin/server/server-close/ipv4/wire",
		"overtaken-fin/server-close/ipv4", "overtaken-fin/server-shutdown/client-exit/ipv4/wire", "overtaken-fin/server-shutdown/ipv4",
		"overtaken-fin/server-shutdown/ipv4/bridged", "overtaken-fin/server-shutdown/ipv4/reorder", "overtaken-fin/server-shutdown/ipv4/wire",
		"overtaken-fin/server-shutdown/ipv4/wire/rtt-20ms", "overtaken-fin/server-shutdown/ipv4/wire/sack-off", "overtaken-fin/server-shutdown/ipv6",
	}
	for _, name := range all {
		filter := filterOf(name, all)
		matches, err := types.ParseLabelFilter(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		var left []string
		for _, other := range all {
			if matches(strings.Split(other, "/")) {
				left = append(left, other)
			}
		}
		if len(left) != 1 || left[0] != name {
			t.Errorf("%q leaves %q, want %s", filter, left, name)
		}
	}
	if got := filterOf("a/b", []string{"a/b", "b/a"}); got != "a && b" {
		t.Errorf("of two with the same labels it is %q", got)
	}
}

// What a record calls its kernel is a word to a shell, whatever it is.
func TestACommandCanBeCopied(t *testing.T) {
	for _, word := range []string{"debian/trixie", "a b", "$(reboot)", "it's `reboot`; #", "\\", "-x\ny"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q reaches a command as %q (%v)", word, out, err)
		}
	}
	if got := quote("debian/6.1.170-1"); got != "debian/6.1.170-1" {
		t.Errorf("a plain word is written %s", got)
	}
}
