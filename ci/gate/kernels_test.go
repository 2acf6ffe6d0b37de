package main

import (
	"errors"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel/debian"
)

func TestKernelsAreListedForPeopleAndForPrograms(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	kernels := bootables([]debian.Suite{
		{Name: "bullseye", Release: "5.10.0-46-cloud-amd64", Version: "5.10.262-1", Cached: true, Note: "the index is old"},
		{Name: "sid", Err: errors.New("no mirror has debian/sid\nand more")},
	})
	var text, table strings.Builder
	g.Expect(jsonOf(kernels[1:])(&text)).To(Succeed())
	g.Expect(text.String()).To(MatchJSON(`[
		{"kernel": "debian/bullseye", "release": "5.10.0-46-cloud-amd64", "version": "5.10.262-1", "downloaded": true, "note": "the index is old"},
		{"kernel": "debian/sid", "error": "no mirror has debian/sid"}
	]`))
	g.Expect(listKernels(&table, kernels)).To(Succeed())
	lines := strings.Split(table.String(), "\n")
	g.Expect(lines[1]).To(MatchRegexp(`^host +\S+ +- +no virtual machine$`))
	g.Expect(lines[2]).To(MatchRegexp(`^debian/bullseye +5.10.0-46-cloud-amd64 +5.10.262-1 +downloaded; the index is old$`))
	g.Expect(lines[3]).To(MatchRegexp(`^debian/sid +- +- +no mirror has debian/sid$`))
}
