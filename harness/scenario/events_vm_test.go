//go:build vm

package scenario_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/vm"
)

// The tests of what the kernel reports, in guests of the kernels that are in the
// user's cache.
func TestEventsInGuests(t *testing.T) {
	if err := vm.Available(kernel.Native()); err != nil {
		t.Skip(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	folders, err := filepath.Glob(filepath.Join(cache, "finwait", "debian", "kernels", "*", "lib", "modules", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) == 0 {
		t.Skip("no kernel in the cache: run make gate once")
	}
	programs := t.TempDir()
	build := func(name string, args ...string) string {
		binary := filepath.Join(programs, name)
		cmd := exec.Command("go", append(args[:len(args)-1:len(args)-1], "-ldflags=-s -w", "-o", binary, args[len(args)-1])...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, output)
		}
		return binary
	}
	guestInit := build("init", "build", "../vm/init")
	for name, payload := range map[string]vm.Payload{
		"events":        {Binary: build("events.test", "test", "-c", "../observe/events"), Args: []string{"-test.v"}},
		"overtaken FIN": {Binary: build("scenario.test", "test", "-c", "."), Args: []string{"-test.v", "-test.run=TestEventsOf"}},
	} {
		payload.Init = guestInit
		for _, modules := range folders {
			image := kernel.Image{
				Release: filepath.Base(modules),
				Vmlinuz: filepath.Join(modules, "..", "..", "..", "vmlinuz"),
				Modules: modules,
			}
			if arch, err := kernel.Identify(image.Vmlinuz); err != nil || arch != kernel.Native() {
				continue // what is built here is for this machine's
			}
			t.Run(name+"/"+image.Release, func(t *testing.T) {
				var console bytes.Buffer
				machine := vm.Machine{Kernel: image, Modules: []string{"veth", "tcp_diag"}, Console: &console}
				result, err := machine.Run(t.Context(), payload, func([]byte) {})
				if err != nil || result.Status != 0 {
					t.Errorf("status %d, %v", result.Status, err)
				}
				t.Log(console.String())
			})
		}
	}
}
