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
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/vm"
)

// programs are what runs on a kernel of this machine's architecture: the suite, and
// the init of the guest.
type programs struct {
	folder      string
	suite, init string
	others      *otherPrograms
}

// otherPrograms are those for other architectures, built when they are needed.
type otherPrograms struct {
	mu    sync.Mutex
	built map[kernel.Arch]programs
}

// build provides the suite and the init: those that a release carries, or else built
// from the source that the gate itself comes from.
func build(ctx context.Context) (programs, error) {
	p, err := newPrograms()
	if err != nil {
		return programs{}, err
	}
	p.others = &otherPrograms{built: map[kernel.Arch]programs{}}
	if err := p.provide(ctx, runtime.GOARCH); err != nil {
		p.remove()
		return programs{}, err
	}
	return p, nil
}

// provide unpacks the programs for an architecture, or builds them.
func (p programs) provide(ctx context.Context, arch string) error {
	if packed != nil {
		return p.unpack(packed, arch)
	}
	return p.compile(ctx, arch)
}

// forArch gives the programs for an architecture.
func (p programs) forArch(ctx context.Context, arch kernel.Arch) (programs, error) {
	if arch == "" || arch == kernel.Native() {
		return p, nil
	}
	p.others.mu.Lock()
	defer p.others.mu.Unlock()
	if other, ok := p.others.built[arch]; ok {
		return other, nil
	}
	other := programsIn(filepath.Join(p.folder, string(arch)))
	if err := os.Mkdir(other.folder, 0o755); err != nil {
		return programs{}, fmt.Errorf("make a folder for the suite: %w", err)
	}
	if err := other.provide(ctx, string(arch)); err != nil {
		return programs{}, err
	}
	p.others.built[arch] = other
	return other, nil
}

func programsIn(folder string) programs {
	return programs{folder: folder, suite: filepath.Join(folder, "specs.test"), init: filepath.Join(folder, "init")}
}

// newPrograms makes the folder that the programs are to be in.
func newPrograms() (programs, error) {
	folder, err := os.MkdirTemp("", "finwait-build-*")
	if err != nil {
		return programs{}, fmt.Errorf("make a folder for the suite: %w", err)
	}
	return programsIn(folder), nil
}

// compile builds the programs for an architecture.
func (p programs) compile(ctx context.Context, arch string) error {
	const module = "github.com/finwait/finwait"
	for _, args := range [][]string{
		{"test", "-c", "-o", p.suite, module + "/specs"},
		{"build", "-o", p.init, module + "/harness/vm/init"},
	} {
		args = append([]string{args[0], "-buildvcs=false", "-trimpath", "-ldflags=-s -w"}, args[1:]...)
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if output, err := cmd.CombinedOutput(); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("build the suite: %w", context.Cause(ctx))
			}
			return fmt.Errorf("build the suite (a gate that is no release has to be started in a checkout of %s, with Go in PATH): go %s: %w\n%s",
				module, args[0], err, bytes.TrimSpace(output))
		}
	}
	return nil
}

func (p programs) remove() { os.RemoveAll(p.folder) }

// suiteArgs are the suite's arguments on a kernel that runs on that clock, for a round
// whose entries go to a file.
func (o options) suiteArgs(clock vm.Clock, r round, record string) []string {
	return []string{
		"--ginkgo.randomize-all", "--ginkgo.seed=" + strconv.FormatInt(time.Now().Unix(), 10), // a held suite's own is that of its first run
		"--ginkgo.fail-on-empty", "--ginkgo.no-color",
		"--ginkgo.label-filter=" + o.labelFilter,
		"--ginkgo.focus=" + r.focus(),
		"--clock=" + string(clock),
		"--trials=" + strconv.Itoa(r.trials),
		"--record=" + record,
	}
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
func (o options) runOn(ctx context.Context, image kernel.Image, p programs, j job) (vm.Result, error) {
	if image.Source == hostSource {
		return vm.Result{}, runOnHost(ctx, image, p, j)
	}
	return o.runInGuest(ctx, image, p, j)
}

// runInGuest has a guest with that kernel run the suite.
func (o options) runInGuest(ctx context.Context, image kernel.Image, p programs, j job) (vm.Result, error) {
	p, err := p.forArch(ctx, image.Arch)
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
	payload := vm.Payload{Init: p.init, Binary: p.suite, Args: j.args(vm.StreamPath), Held: true}
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
func runOnHost(ctx context.Context, image kernel.Image, p programs, j job) error {
	stream, report, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("%s: %w", image.Source, err)
	}
	defer stream.Close()
	var console tail
	cmd := exec.CommandContext(ctx, p.suite, j.args("/dev/fd/3")...)
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
