package guest_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

func TestScan(t *testing.T) {
	ready := guest.Message{Ready: &guest.Ready{Release: "6.1.0", Uptime: 5}}
	exit := guest.Message{Exit: &guest.Exit{Status: 3}}
	fail := guest.Message{Fail: &guest.Fail{Step: guest.Load, Cause: "module x: \x1e\nno"}}
	for name, c := range map[string]struct {
		stream   string
		lines    []string
		messages []guest.Message
	}{
		"nothing":               {stream: ""},
		"a life":                {encoded(t, ready) + "{}\n[1]\n" + encoded(t, exit), []string{"{}", "[1]"}, []guest.Message{ready, exit}},
		"empty line":            {stream: "\n", lines: []string{""}},
		"payload died writing":  {`{"a":1}` + "\n" + `{"b":` + encoded(t, exit), []string{`{"a":1}`}, []guest.Message{exit}},
		"kernel died meanwhile": {stream: "{}\n{", lines: []string{"{}"}},
		"control characters":    {stream: encoded(t, fail), messages: []guest.Message{fail}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			lines, messages, err := scan(strings.NewReader(c.stream))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(lines).To(Equal(c.lines))
			g.Expect(messages).To(Equal(c.messages))
		})
	}
}

func TestScanLongLine(t *testing.T) {
	g := NewWithT(t)
	longest := strings.Repeat("x", guest.MaxLine)
	lines, _, err := scan(strings.NewReader(longest + "\n"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(lines).To(HaveLen(1))
	g.Expect(lines[0]).To(Equal(longest))

	_, _, err = scan(strings.NewReader("x" + longest + "\n"))
	g.Expect(err).To(MatchError(ContainSubstring("longer than")))
}

func TestScanBadMessage(t *testing.T) {
	for _, text := range []string{
		"\x1e\n",
		"\x1e{}\n",
		"\x1enull\n",
		"\x1e{\"exit\":{\"status\":0},\"fail\":{}}\n",
		"\x1e{\"exit\":{\"status\":\"0\"}}\n",
	} {
		if _, messages, err := scan(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken for %v", text, messages)
		}
	}
}

func TestScanReadError(t *testing.T) {
	broken := errors.New("broken")
	lines, _, err := scan(io.MultiReader(strings.NewReader("{}\n"), iotest.ErrReader(broken)))
	g := NewWithT(t)
	g.Expect(lines).To(Equal([]string{"{}"}))
	g.Expect(err).To(MatchError(broken))
}

// FuzzScan checks that what is read does not depend on how the bytes arrive,
// and that lines are what Scan says they are.
func FuzzScan(f *testing.F) {
	f.Add([]byte("{}\n{\"a\":\"b\"}\n"))
	f.Add([]byte("{\"cut\x1e{\"exit\":{\"status\":1}}\n"))
	f.Add([]byte("\x1e{\"ready\":{\"release\":\"6.1\",\"uptime_ns\":1}}\n\x1e{\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		g := NewWithT(t)
		lines, messages, err := scan(bytes.NewReader(stream))
		slowLines, slowMessages, slowErr := scan(iotest.OneByteReader(bytes.NewReader(stream)))
		g.Expect(slowLines).To(Equal(lines))
		g.Expect(slowMessages).To(Equal(messages))
		g.Expect(slowErr != nil).To(Equal(err != nil))
		g.Expect(len(lines) + len(messages)).To(BeNumerically("<=", bytes.Count(stream, []byte("\n"))))
		for _, line := range lines {
			g.Expect(line).NotTo(ContainSubstring("\n"))
			g.Expect(line).NotTo(ContainSubstring("\x1e"))
		}
	})
}

func scan(r io.Reader) (lines []string, messages []guest.Message, err error) {
	err = guest.Scan(r,
		func(line []byte) { lines = append(lines, string(line)) },
		func(m guest.Message) { messages = append(messages, m) })
	return lines, messages, err
}

func encoded(t *testing.T, m guest.Message) string {
	t.Helper()
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
