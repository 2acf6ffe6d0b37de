package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/vm"
)

// suiteArgs are the suite's arguments on a kernel, for a round whose entries go to a
// file.
func (o options) suiteArgs(image kernel.Image, r round, record string) []string {
	args := []string{
		"--ginkgo.randomize-all", "--ginkgo.seed=" + strconv.FormatInt(time.Now().Unix(), 10), // a held suite's own is that of its first run
		"--ginkgo.fail-on-empty", "--ginkgo.no-color",
		"--ginkgo.label-filter=" + o.labelFilter,
		"--ginkgo.focus=" + r.focus(),
		"--clock=" + string(o.clockOf(image)),
		"--trials=" + strconv.Itoa(r.trials),
		"--record=" + record,
	}
	if o.own != nil {
		args = append(args, o.own(image)...)
	}
	return args
}

// A job is what the suite is to do: its arguments, given the file that its entries go
// to, what is done with each entry, and with what is to be said of the guest.
type job struct {
	args   func(record string) []string
	entry  func([]byte) error
	notice func(string)
}

// runOn has the suite do a job on a kernel. The result tells of the guest, if there
// was one.
func (o options) runOn(ctx context.Context, image kernel.Image, p *programs.Set, j job) (vm.Result, error) {
	if image.Source == hostSource {
		return vm.Result{}, runOnHost(ctx, image, p, j)
	}
	return o.runInGuest(ctx, image, p, j)
}

// runInGuest has a guest with that kernel run the suite.
func (o options) runInGuest(ctx context.Context, image kernel.Image, p *programs.Set, j job) (vm.Result, error) {
	p, err := p.For(ctx, image.Arch)
	if err != nil {
		return vm.Result{}, fmt.Errorf("%s: %w", image.Source, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	modules, err := image.ModulesOf(slices.Concat(suiteNeeds, suiteWants)...)
	if err != nil {
		return vm.Result{}, err
	}
	var console tail
	machine := vm.Machine{
		Kernel: image, Modules: modules, Clock: vm.Clock(o.clock), Console: &console,
		Cache: machines(), Cold: o.cold, Notice: j.notice,
	}
	payload := vm.Payload{Init: p.Init, Binary: p.Suite, Args: j.args(vm.StreamPath), Held: true, Luggage: o.brought}
	result, err := machine.Run(ctx, payload, func(line []byte) {
		if err := j.entry(line); err != nil {
			cancel(err)
		}
	})
	if err != nil {
		return result, err
	}
	if image.Release != "" && result.Release != image.Release {
		return result, fmt.Errorf("%s: what booted is %s, not %s: the kernel %s is not what it should be; if it is in a cache, remove its folder",
			image.Source, result.Release, image.Release, image.Vmlinuz)
	}
	return result, suiteStatus(image, result.Status, &console)
}

// machines is the folder for the guests that have booted; empty where the user has
// no folder for such things.
func machines() string {
	user, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(user, "finwait", "machines")
}

// hostSource is the KERNEL argument that stands for the running kernel.
var hostSource = kernel.Reference{Origin: kernel.Host}.String()

func hostKernel() (kernel.Image, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return kernel.Image{}, fmt.Errorf("uname: %w", err)
	}
	return kernel.Image{Source: hostSource, Arch: kernel.Native(), Release: unix.ByteSliceToString(name.Release[:])}, nil
}

// runOnHost runs the suite on the running kernel.
func runOnHost(ctx context.Context, image kernel.Image, p *programs.Set, j job) error {
	stream, report, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("%s: %w", image.Source, err)
	}
	defer stream.Close()
	var console tail
	cmd := exec.CommandContext(ctx, p.Suite, j.args("/dev/fd/3")...)
	cmd.ExtraFiles = []*os.File{report}
	cmd.Stdout, cmd.Stderr = &console, &console
	// The suite ends with the gate, even one that is killed; the signal comes
	// when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG). Ctrl-C
	// is for the gate, which then ends the suite.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	err = cmd.Start()
	report.Close()
	if err != nil {
		return fmt.Errorf("%s: start the suite: %w", image.Source, err)
	}
	bad := eachLine(stream, j.entry)
	if bad != nil {
		_ = cmd.Process.Kill()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case bad != nil:
		return fmt.Errorf("%s: %w", image.Source, bad)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", image.Source, context.Cause(ctx))
	case err != nil && !errors.As(err, &exit):
		return fmt.Errorf("%s: run the suite: %w", image.Source, err)
	}
	return suiteStatus(image, cmd.ProcessState.ExitCode(), &console)
}

func eachLine(r io.Reader, do func([]byte) error) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(line); err != nil {
			return err
		}
	}
}

// suiteStatus explains a suite that failed: recording, it judges nothing, so
// the harness did.
func suiteStatus(image kernel.Image, status int, console *tail) error {
	if status == 0 {
		return nil
	}
	return fmt.Errorf("%s: the suite exited with status %d; its last lines were:\n%s", image.Source, status, console)
}

// A tail keeps the last of what is written to it.
type tail struct{ kept []byte }

// tailSize is some sixty lines, enough for Ginkgo's summary of a failure.
const tailSize = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - tailSize; extra > 0 {
		t.kept = t.kept[extra:]
	}
	return len(p), nil
}

// String is the whole lines kept.
func (t *tail) String() string {
	kept := t.kept
	if i := bytes.IndexByte(kept, '\n'); len(kept) == tailSize && i >= 0 {
		kept = kept[i+1:]
	}
	return string(kept)
}
