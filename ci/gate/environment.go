package main

import (
	"bufio"
	"os"
	"runtime"
	"strings"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// environment is what a kernel is run on, for the reader of its record. Nothing is
// decided by it, so what cannot be found out is left out.
func environment(image kernel.Image) *report.Environment {
	e := &report.Environment{CPU: processor(), Go: runtime.Version()}
	if host, err := hostKernel(); err == nil {
		e.Host = host.Release
	}
	if image.Source != hostSource {
		e.QEMU, _ = vm.Version(image.Arch)
	}
	return e
}

// processor is the model of the machine's processor, as proc_cpuinfo(5) has it.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
