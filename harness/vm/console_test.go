package vm

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	. "github.com/onsi/gomega"
)

func TestPanicReason(t *testing.T) {
	for line, want := range map[string]string{
		"[    1.555058] Kernel panic - not syncing: sysrq triggered crash":          "sysrq triggered crash",
		"[    0.512345][    T1] Kernel panic - not syncing: No working init found.": "No working init found.",
		"Kernel panic - not syncing: Fatal exception in interrupt":                  "Fatal exception in interrupt",
		"--- [    7.1] Kernel panic - not syncing: Fatal exception":                 "Fatal exception",
		"[    1.555058] ---[ end Kernel panic - not syncing: sysrq ]---":            "sysrq ]---",
		"[    1.555058] sysrq: Trigger a crash":                                     "",
		"":                                                                          "",
	} {
		if got, ok := panicReason(line); got != want || ok != (want != "") {
			t.Errorf("panicReason(%q) = %q, %t", line, got, ok)
		}
	}
}

func TestConsole(t *testing.T) {
	g := NewWithT(t)
	var out strings.Builder
	c := console{out: &out}
	printed := "[    1.0] Kernel panic - not syncing: first\r\n" +
		"[    1.1] Kernel panic - not syncing: second\r\n\r\nunfinished"
	_, err := io.Copy(&c, iotest.OneByteReader(strings.NewReader(printed)))
	g.Expect(err).NotTo(HaveOccurred())
	c.close()
	c.close()
	g.Expect(out.String()).To(Equal(strings.ReplaceAll(printed, "\r\n", "\n") + "\n"))
	g.Expect(c.panic).To(Equal("first"))
	g.Expect(c.last).To(Equal(strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")))
}

func TestConsoleRemembersTheEnd(t *testing.T) {
	g := NewWithT(t)
	var c console
	for i := range 2 * consoleLines {
		fmt.Fprintln(&c, i)
	}
	fmt.Fprintln(&c, strings.Repeat("x", 2*consoleColumns))
	g.Expect(c.last).To(HaveLen(consoleLines))
	g.Expect(c.last[0]).To(Equal(fmt.Sprint(consoleLines + 1)))
	g.Expect(c.last[consoleLines-1]).To(Equal(strings.Repeat("x", consoleColumns)))
}

func TestConsoleOutlivesItsReader(t *testing.T) {
	c := console{out: brokenWriter{}}
	if _, err := io.WriteString(&c, "one\ntwo\n"); err != nil || len(c.last) != 2 {
		t.Errorf("got %q, %v", c.last, err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }
