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
	for name, c := range map[string]struct {
		stream string
		lines  []string
	}{
		"nothing":               {stream: ""},
		"a life":                {"{}\n[1]\n", []string{"{}", "[1]"}},
		"empty line":            {"\n", []string{""}},
		"payload died writing":  {`{"a":1}` + "\n" + `{"b":`, []string{`{"a":1}`}},
		"not what init says":    {`{"exit":{}}` + "\n", []string{`{"exit":{}}`}},
		"kernel died meanwhile": {"{}\n{", []string{"{}"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			lines, err := scan(strings.NewReader(c.stream))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(lines).To(Equal(c.lines))
		})
	}
}

func TestScanLongLine(t *testing.T) {
	g := NewWithT(t)
	longest := strings.Repeat("x", guest.MaxLine)
	lines, err := scan(strings.NewReader(longest + "\n"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(lines).To(HaveLen(1))
	g.Expect(lines[0]).To(Equal(longest))

	_, err = scan(strings.NewReader("x" + longest + "\n"))
	g.Expect(err).To(MatchError(ContainSubstring("longer than")))
}

func TestScanReadError(t *testing.T) {
	broken := errors.New("broken")
	lines, err := scan(io.MultiReader(strings.NewReader("{}\n"), iotest.ErrReader(broken)))
	g := NewWithT(t)
	g.Expect(lines).To(Equal([]string{"{}"}))
	g.Expect(err).To(MatchError(broken))
}

func TestScanMessages(t *testing.T) {
	g := NewWithT(t)
	said := []guest.Message{
		{Booted: &guest.Booted{}},
		{Ready: &guest.Ready{Release: "6.1.0", Uptime: 5}},
		{Exit: &guest.Exit{Status: 3, Uptime: 7}},
		{Fail: &guest.Fail{Step: guest.Load, Cause: "module x: \x1e\nno"}},
	}
	var stream strings.Builder
	for _, m := range said {
		text, err := m.Encode()
		g.Expect(err).NotTo(HaveOccurred())
		stream.Write(text)
	}
	heard, err := scanMessages(strings.NewReader(stream.String() + `{"exit":{"sta`))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(heard).To(Equal(said))
}

func TestScanBadMessage(t *testing.T) {
	for _, text := range []string{
		"\n",
		"{}\n",
		"null\n",
		"{\"exit\":{\"status\":0},\"fail\":{}}\n",
		"{\"exit\":{\"status\":\"0\"}}\n",
		"[    1.0] printk\n",
	} {
		if messages, err := scanMessages(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken for %v", text, messages)
		}
	}
}

// FuzzScan checks that what is read does not depend on how the bytes arrive, and
// that lines are what Scan says they are.
func FuzzScan(f *testing.F) {
	f.Add([]byte("{}\n{\"a\":\"b\"}\n"))
	f.Add([]byte("{\"cut"))
	f.Add([]byte("{\"ready\":{\"release\":\"6.1\",\"uptime_ns\":1}}\n{\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		g := NewWithT(t)
		lines, err := scan(bytes.NewReader(stream))
		slowLines, slowErr := scan(iotest.OneByteReader(bytes.NewReader(stream)))
		g.Expect(slowLines).To(Equal(lines))
		g.Expect(slowErr != nil).To(Equal(err != nil))
		g.Expect(len(lines)).To(BeNumerically("<=", bytes.Count(stream, []byte("\n"))))
		for _, line := range lines {
			g.Expect(line).NotTo(ContainSubstring("\n"))
		}
		messages, err := scanMessages(bytes.NewReader(stream))
		if err == nil {
			g.Expect(messages).To(HaveLen(len(lines)))
		}
	})
}

func scan(r io.Reader) (lines []string, err error) {
	err = guest.Scan(r, func(line []byte) { lines = append(lines, string(line)) })
	return lines, err
}

func scanMessages(r io.Reader) (messages []guest.Message, err error) {
	err = guest.ScanMessages(r, func(m guest.Message) { messages = append(messages, m) })
	return messages, err
}
