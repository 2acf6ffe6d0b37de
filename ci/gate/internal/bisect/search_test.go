package bisect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

// played is a row of kernels, oldest first, each with what it shows: '-' clean, '+'
// retransmitted, '!' reset, '?' nothing, '~' it cannot be had any more, '/' nor can anything.
type played string

var plays = map[byte]Shown{
	'-': {Outcome: "clean", Expected: "clean"},
	'+': {Outcome: "retransmitted", Expected: "clean"},
	'!': {Outcome: "reset", Expected: "clean"},
	'?': {Why: "it does not boot"},
}

// version is what the i-th kernel is called.
func version(i int) string { return fmt.Sprintf("1.0.%d-1", i) }

// of is the kernel of a version.
func (p played) of(v string) byte {
	var i int
	if _, err := fmt.Sscanf(v, "1.0.%d-1", &i); err != nil {
		panic(err)
	}
	return p[i]
}

// search is one in the row, with the good kernel at one end.
func (p played) search(goodFirst bool) (*Search, *bytes.Buffer) {
	var versions []string
	for i := range len(p) {
		versions = append(versions, version(i))
	}
	image := func(v string) kernel.Image { return kernel.Image{Source: "debian/" + v, Version: v} }
	out := new(bytes.Buffer)
	s := &Search{
		Good: image(versions[len(p)-1]), Bad: image(versions[0]), Versions: versions, Out: out,
		Resolve: func(_ context.Context, v string) (kernel.Image, string, error) {
			switch p.of(v) {
			case '~':
				return kernel.Image{}, "no mirror has it any more", nil
			case '/':
				return kernel.Image{}, "", errors.New("no route to host")
			}
			return image(v), "", nil
		},
		Show: func(_ context.Context, image kernel.Image) (Shown, error) {
			if p.of(image.Version) == 'x' {
				return Shown{}, errors.New("QEMU refused its work")
			}
			return plays[p.of(image.Version)], nil
		},
	}
	if goodFirst {
		s.Good, s.Bad = s.Bad, s.Good
	}
	return s, out
}

func TestSearchNamesTheFirstThatIsNotAsBefore(t *testing.T) {
	t.Parallel()
	for row, want := range map[played]struct {
		last, first int
		untold      []int
		distance    string
	}{
		"+-":       {0, 1, nil, "between Linux 1.0.0 and 1.0.1, of one series"},
		"-+":       {0, 1, nil, "between Linux 1.0.0 and 1.0.1, of one series"},
		"++++---":  {3, 4, nil, "between Linux 1.0.3 and 1.0.4, of one series"},
		"------++": {5, 6, nil, "between Linux 1.0.5 and 1.0.6, of one series"},
		"+?-":      {0, 2, []int{1}, "between Linux 1.0.0 and 1.0.2, of one series"},
		"++~!?---": {1, 5, []int{2, 3, 4}, "between Linux 1.0.1 and 1.0.5, of one series"},
		"+?+-~-":   {2, 3, nil, "between Linux 1.0.2 and 1.0.3, of one series"},
	} {
		t.Run(string(row), func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			s, out := row.search(row[0] == '-')
			found, err := s.Run(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]string{found.Last.Version, found.First.Version}).To(Equal([]string{version(want.last), version(want.first)}))
			g.Expect(found.Last.Verdict).To(Equal(map[byte]Verdict{'-': Good, '+': Bad}[row[0]]))
			g.Expect(found.First.Verdict).To(Equal(map[byte]Verdict{'-': Good, '+': Bad}[row[len(row)-1]]))
			var untold []string
			for _, i := range want.untold {
				untold = append(untold, version(i))
			}
			g.Expect(found.Untold).To(Equal(untold))
			g.Expect(found.Distance).To(Equal(want.distance))
			for _, taken := range found.Steps {
				g.Expect(out.String()).To(ContainSubstring(taken.String()))
			}
			g.Expect(strings.Count(out.String(), "\n")).To(Equal(len(found.Steps) + 1))
		})
	}
}

func TestSearchSaysWhyOneIsSkipped(t *testing.T) {
	t.Parallel()
	for row, why := range map[played]string{
		"+?-": "skip  debian/1.0.1-1: it does not boot; 0 left\n",
		"+~-": "skip  debian/1.0.1-1: no mirror has it any more; 0 left\n",
		"+!-": "skip  debian/1.0.1-1: reset: neither clean nor retransmitted; 0 left\n",
	} {
		g := NewWithT(t)
		s, out := row.search(false)
		found, err := s.Run(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(out.String()).To(HaveSuffix(why))
		var text bytes.Buffer
		found.Write(&text)
		g.Expect(text.String()).To(HavePrefix("\nthe first good kernel is debian/1.0.2-1: clean\n" +
			"or one of those that could not be told: 1.0.1-1\nthe last bad one is debian/1.0.0-1: retransmitted\n"))
	}
}

// A mirror that is down says nothing of the kernels that it has.
func TestSearchEndsWhereNothingCanBeHad(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s, out := played("+/-").search(false)
	_, err := s.Run(t.Context())
	g.Expect(err).To(MatchError(ContainSubstring("no route to host")))
	g.Expect(out.String()).NotTo(ContainSubstring("skip"))
}

func TestSearchWantsItsEndsToBeWhatTheyAreCalled(t *testing.T) {
	t.Parallel()
	for row, want := range map[played]string{
		"--":  "--good debian/1.0.1-1 and --bad debian/1.0.0-1 are the same in this: clean",
		"++":  "are the same in this: retransmitted",
		"-+":  "good is what ends clean: --good debian/1.0.1-1 is retransmitted, and --bad debian/1.0.0-1 is clean",
		"+!":  "good is what ends clean: --good debian/1.0.1-1 is reset",
		"?-":  "it has to be known what both do: --good debian/1.0.1-1: clean; --bad debian/1.0.0-1: it does not boot",
		"+?":  "it has to be known what both do: --good debian/1.0.1-1: it does not boot",
		"x-":  "QEMU refused its work",
		"+x-": "QEMU refused its work",
	} {
		t.Run(string(row), func(t *testing.T) {
			t.Parallel()
			s, _ := row.search(false)
			_, err := s.Run(t.Context())
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(want)))
		})
	}
}

func TestSearchIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancelCause(t.Context())
	s, _ := played("++--").search(false)
	show := s.Show
	s.Show = func(ctx context.Context, image kernel.Image) (Shown, error) {
		if slices.Contains([]string{version(0), version(3)}, image.Version) {
			return show(ctx, image)
		}
		interrupt(errors.New("interrupted"))
		return Shown{}, context.Cause(ctx)
	}
	_, err := s.Run(ctx)
	NewWithT(t).Expect(err).To(MatchError("interrupted"))
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for ends, want := range map[[2]string]string{
		{"6.1.187-1", "6.1.190-1"}:            "between Linux 6.1.187 and 6.1.190, of one series",
		{"5.10.262-1", "6.1.170-3"}:           "between series 5.10 and 6.1: Linux 5.10.262 and 6.1.170",
		{"6.12.90-1", "6.12.90-2"}:            "both are Linux 6.12.90: the change is Debian's",
		{"6.12.90-1~bpo12+1", "6.12.90-1"}:    "both are Linux 6.12.90: the change is Debian's",
		{"7.2.13-1", "7.3~rc7-1~exp1"}:        "between series 7.2 and 7.3: Linux 7.2.13 and 7.3~rc7",
		{"7.3~rc7-1~exp1", "7.3.4-1~bpo13+1"}: "between Linux 7.3~rc7 and 7.3.4, of one series",
		{"unstable", "1:6.1.4-1"}:             "between unstable and 1:6.1.4-1",
		{"1:6.1.4-1", "1:6.1.7-1"}:            "between Linux 6.1.4 and 6.1.7, of one series",
	} {
		NewWithT(t).Expect(distance(ends[0], ends[1])).To(Equal(want))
	}
}
