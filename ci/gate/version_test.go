package main

import (
	"runtime/debug"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestVersionTellsWhatGoNoted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		info debug.BuildInfo
		want []string
	}{
		"a release": {debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abc"},
			{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
			{Key: "vcs.modified", Value: "false"},
			{Key: "GOOS", Value: "linux"},
			{Key: "GOARCH", Value: "arm64"},
		}}, []string{"gate v1.2.3\n", "commit: 0123abc, of 2026-01-02T03:04:05Z\n", "built by: go1.26.8 for linux/arm64\n"}},
		"changes of one's own": {debug.BuildInfo{Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "true"},
		}}, []string{"commit: 0123abc, with changes that were not committed\n"}},
		"no repository": {debug.BuildInfo{}, []string{"gate (devel)\n", "commit: not known"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			var out strings.Builder
			g.Expect(describeBuild(&out, &c.info)).To(Succeed())
			for _, want := range c.want {
				g.Expect(out.String()).To(ContainSubstring(want))
			}
		})
	}
	g := NewWithT(t)
	status, stdout, _ := gate(t, "version")
	g.Expect(status).To(Equal(exitNoRegression))
	g.Expect(stdout).To(ContainSubstring("for linux/"))
	g.Expect(stdout).To(ContainSubstring("programs for guests: built when they are needed"))
}
