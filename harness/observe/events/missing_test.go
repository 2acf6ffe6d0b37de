package events_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/observe/events"
)

// A user namespace's root is nobody to the kernel's BPF.
func TestInAUserNamespaceEverySourceSaysWhatIsMissing(t *testing.T) {
	cmd := child(t, "report what is missing")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL) {
		t.Skipf("this system makes no user namespace: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(out), "the running kernel lacks BPF (permission): "); got != len(events.Sources) {
		t.Errorf("%d of %d sources lack the permission:\n%s", got, len(events.Sources), out)
	}
	t.Logf("%s", out)
}

// One source's need is not another's.
func TestWithoutCgroupV2TheTracepointsAreLeft(t *testing.T) {
	has := sources(t, open(t), events.Sources...)
	out := withOwnMounts(t, "go without cgroup v2")
	for _, s := range has {
		if want := s == events.SockOps; strings.Contains(out, string(s)+": the running kernel lacks cgroup v2: ") != want {
			t.Errorf("%s: lacking a cgroup should be %v:\n%s", s, want, out)
		}
	}
}

func TestWithoutBTFSockOpsIsLeft(t *testing.T) {
	sources(t, open(t), events.SockOps)
	out := withOwnMounts(t, "go without BTF")
	for _, s := range events.Sources {
		if want := s != events.SockOps; strings.Contains(out, string(s)+": the running kernel lacks BTF: ") != want {
			t.Errorf("%s: lacking BTF should be %v:\n%s", s, want, out)
		}
	}
}

// withOwnMounts runs a child whose mounts are nobody else's.
func withOwnMounts(t *testing.T, name string) (out string) {
	t.Helper()
	cmd := child(t, name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	t.Logf("%s", printed)
	return string(printed)
}

func goWithoutCgroup() {
	for _, at := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		_ = unix.Unmount(at, unix.MNT_DETACH) // it is in one of these places
	}
	reportMissing()
}

func goWithoutBTF() {
	if err := unix.Mount("none", "/sys/kernel/btf", "tmpfs", 0, ""); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	reportMissing()
}

func reportMissing() {
	recorder, err := events.Open()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, s := range events.Sources {
		fmt.Printf("%s: %v\n", s, recorder.Missing()[s])
	}
	recorder.Close()
}
