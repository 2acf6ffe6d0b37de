package program_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/program"
)

func TestItListens(t *testing.T) {
	for _, c := range []struct{ on, wanted string }{
		{"0.0.0.0:80", "192.0.2.1:80"},
		{"0.0.0.0:80", "0.0.0.0:80"},
		{"[::]:80", "192.0.2.1:80"},
		{"[::]:80", "[2001:db8::1]:80"},
		{"only:[::]:80", "[2001:db8::1]:80"},
		{"only:[::]:80", "[::]:80"},
		{"127.0.0.1:80", "127.0.0.1:80"},
		{"127.0.0.1:80", "[::ffff:127.0.0.1]:80"},
		{"127.0.0.1:80 0.0.0.0:81", "192.0.2.1:81"},
	} {
		p := start(t, run("listen", strings.Fields(c.on)...))
		NewWithT(t).Expect(await(t, p, c.wanted, 20*time.Second)).To(Succeed(), "on %s, wanted %s", c.on, c.wanted)
	}
}

func TestItDoesNotListen(t *testing.T) {
	for _, c := range []struct{ on, wanted, want string }{
		{"", "192.0.2.1:80", "it listens on no address, and was to listen on 192.0.2.1:80 by now; it printed nothing"},
		{"0.0.0.0:8080", "192.0.2.1:80", "it listens on 0.0.0.0:8080, not on 192.0.2.1:80: have both name the same address"},
		{"only:[::]:80", "192.0.2.1:80", "it listens on [::]:80 (IPv6 only), not on 192.0.2.1:80"},
		{"only:[::]:80", "0.0.0.0:80", "it listens on [::]:80 (IPv6 only), not on 0.0.0.0:80"},
		{"0.0.0.0:80", "[2001:db8::1]:80", "it listens on 0.0.0.0:80, not on [2001:db8::1]:80"},
		{"127.0.0.1:80", "0.0.0.0:80", "it listens on 127.0.0.1:80, which can be reached only from its own host: the client comes over a link, so have it listen on 0.0.0.0:80"},
		{"[::1]:80 127.0.0.1:80", "192.0.2.1:80", "it listens on 127.0.0.1:80 and [::1]:80, which can be reached only from its own host"},
	} {
		p := start(t, run("listen", strings.Fields(c.on)...))
		for on := range strings.FieldsSeq(c.on) {
			NewWithT(t).Expect(await(t, p, strings.TrimPrefix(on, "only:"), 20*time.Second)).To(Succeed())
		}
		NewWithT(t).Expect(await(t, p, c.wanted, 50*time.Millisecond)).To(MatchError(ContainSubstring(c.want)))
	}
}

// The deadline is for a program that listens on nothing.
func TestItListensElsewhereForLong(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	await := func(args ...string) error {
		return program.AwaitListeningFor(start(t, run("listen", args...)), ctx, netip.MustParseAddrPort("0.0.0.0:80"), 50*time.Millisecond)
	}
	g.Expect(await("0.0.0.0:8080")).To(MatchError(ContainSubstring(
		"it listens on 0.0.0.0:8080, not on 0.0.0.0:80: have both name the same address")))
	g.Expect(await("200ms", "0.0.0.0:80")).To(Succeed())
	g.Expect(ctx.Err()).NotTo(HaveOccurred())
}

func TestItEndsBeforeItListens(t *testing.T) {
	g := NewWithT(t)
	g.Expect(await(t, start(t, run("exit", "3")), "0.0.0.0:80", 20*time.Second)).To(MatchError(
		"/proc/self/exe: it ended before it listened on 0.0.0.0:80: exit status 3\nits last lines:\n\tit wants 3"))
	g.Expect(await(t, start(t, run("exit", "0")), "0.0.0.0:80", 20*time.Second)).To(MatchError(ContainSubstring(
		"it ended before it listened on 0.0.0.0:80: exit status 0")))
}

// A program that lacks a file need not say so in the kernel's words.
func TestItEndsBeforeItListensInAGuest(t *testing.T) {
	c := run("exit", "3")
	c.Disposable = true
	NewWithT(t).Expect(await(t, start(t, c), "0.0.0.0:80", 20*time.Second)).To(MatchError(
		"/proc/self/exe: it ended before it listened on 0.0.0.0:80: exit status 3; a guest has only the program, its shared libraries " +
			"and what --bring names: bring whatever else it needs\nits last lines:\n\tit wants 3"))
}

func TestItGoesToTheBackground(t *testing.T) {
	g := NewWithT(t)
	p := start(t, run("leave"))
	g.Expect(await(t, p, "0.0.0.0:80", 20*time.Second)).To(MatchError(ContainSubstring(
		"it went to the background, and only what it left there lives on: have it stay in the foreground (nginx -g 'daemon off;'")))
	g.Expect(p.Stop().Left).To(Equal(1))
}

func TestAChildListens(t *testing.T) {
	NewWithT(t).Expect(await(t, start(t, run("prolong")), "192.0.2.1:80", 20*time.Second)).To(Succeed())
}

func TestTheWaitIsGivenUp(t *testing.T) {
	why := errors.New("somebody has no time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	NewWithT(t).Expect(start(t, run("wait")).AwaitListening(ctx, netip.MustParseAddrPort("0.0.0.0:80"))).To(MatchError(why))
}
