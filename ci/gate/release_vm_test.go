//go:build vm

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/report"
)

// A release is one file: it boots a kernel, plays on it and tries servers, where there is
// neither a checkout nor Go.
func TestARelease(t *testing.T) {
	g := NewWithT(t)
	// With the compiler that is here: what it makes has to run, and not to be the same bytes.
	output, err := exec.Command("make", "-C", "../..", "release", "GOTOOLCHAIN=local").CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))
	release, err := filepath.Abs("../../.bin/release/gate-linux-" + runtime.GOARCH)
	g.Expect(err).NotTo(HaveOccurred())

	elsewhere := t.TempDir()
	g.Expect(os.WriteFile(filepath.Join(elsewhere, "go"), []byte("#!/bin/sh\necho go was run >&2\nexit 1\n"), 0o755)).To(Succeed())
	gate := func(args ...string) string {
		cmd := exec.Command(release, args...)
		cmd.Dir = elsewhere
		cmd.Env = append(os.Environ(), "PATH="+elsewhere+":"+os.Getenv("PATH"))
		output, err := cmd.CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), string(output))
		return string(output)
	}
	g.Expect(gate("version")).To(ContainSubstring("programs for guests: in this file, for amd64 and arm64\n"))
	gate("run", "--label-filter", "in-order && ipv4", "debian/bullseye")
	record, err := report.Load(filepath.Join(elsewhere, "finwait-out", "debian-bullseye", "record.json"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Scenarios).NotTo(BeEmpty())
	g.Expect(record.Incomplete).To(BeEmpty())

	servers, err := filepath.Abs("../../.bin/servers")
	g.Expect(err).NotTo(HaveOccurred())
	gate("servers", "--servers", servers, "--label-filter", "redis", "debian/bullseye")
	record, err = report.Load(filepath.Join(elsewhere, "finwait-out", "servers", "debian-bullseye", "record.json"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Scenarios).NotTo(BeEmpty())
	g.Expect(record.Incomplete).To(BeEmpty())

	static, err := exec.Command("go", "version", "-m", release).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(static))
	g.Expect(string(static)).To(ContainSubstring("CGO_ENABLED=0"), "it wants a C library")
}
