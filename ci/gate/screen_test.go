package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/report"
)

// Lines of several kernels do not mix, and on a terminal the last line leaves nothing
// of itself between them.
func TestScreen(t *testing.T) {
	for name, columns := range map[string]func() int{
		"a file":     nil,
		"a terminal": func() int { return 80 },
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			s := newScreen(&out)
			s.columns = columns
			var kernels sync.WaitGroup
			for i := range 8 {
				kernels.Go(func() {
					far := s.begin(fmt.Sprintf("debian/%d", i))
					for n := range 500 {
						s.reach(far, report.Progress{Done: n, Of: 500})
						fmt.Fprintf(s, "%s%s\n", strings.Repeat(fmt.Sprint(i), 20), "end")
					}
					s.end(far)
				})
			}
			kernels.Wait()
			s.close()
			if columns == nil && strings.ContainsAny(out.String(), "\r\x1b") {
				t.Error("a file has what is for a terminal")
			}
			lines := strings.Split(shown(out.String()), "\n")
			if len(lines) != 8*500+1 || lines[len(lines)-1] != "" {
				t.Errorf("there are %d lines, the last is %q", len(lines), lines[len(lines)-1])
			}
			for _, line := range lines[:len(lines)-1] {
				if line != strings.Repeat(line[:1], 20)+"end" {
					t.Fatalf("a line is %q", line)
				}
			}
		})
	}
}

// shown is what a terminal makes of it.
func shown(written string) string {
	var lines []string
	for line := range strings.SplitSeq(written, "\n") {
		if i := strings.LastIndex(line, "\r\x1b[K"); i >= 0 {
			line = line[i+len("\r\x1b[K"):]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestLastLine(t *testing.T) {
	at := func(name string, done, of int) *reached {
		return &reached{name: name, Progress: report.Progress{Done: done, Of: of}}
	}
	for _, c := range []struct {
		kernels []*reached
		columns int
		want    string
	}{
		{nil, 80, "1:30"},
		{[]*reached{at("debian/sid", 0, 0)}, 80, "debian/sid starts  1:30"},
		{[]*reached{at("debian/sid", 0, 300)}, 80, "debian/sid 0/300  1:30"},
		{[]*reached{at("a", 100, 300), at("b", 200, 300)}, 80, "a 100/300  b 200/300  1:30, about 3:00 left"},
		{[]*reached{at("a", 300, 300)}, 80, "a 300/300  1:30"},
		{[]*reached{at("a", 100, 300), at("b", 200, 300)}, 20, "a 100/300  b 200/30"},
		{[]*reached{at("a", 1, 1)}, 0, ""},
	} {
		if got := lastLine(c.kernels, 90*time.Second, c.columns); got != c.want {
			t.Errorf("it is %q, want %q", got, c.want)
		}
	}
}
