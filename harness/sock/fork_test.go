package sock_test

import (
	"os/exec"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/sock"
)

// A fork is held between its two halves, when the child has copies of all
// descriptors, by a lease on the file that it is to execute: the exec waits until
// the lease is given back (fcntl(2), Leases).
func TestCloseIsTheLastWhileAnotherForks(t *testing.T) {
	for _, how := range []sock.Closing{sock.Close, sock.CloseLingering(5)} {
		t.Run(how.Name, func(t *testing.T) {
			client, server := connected(t, t.Context())
			// A thread that forks does not stop for the collector before the exec.
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			file := leased(t)
			forked := make(chan error, 1)
			go func() { forked <- exec.CommandContext(t.Context(), "/proc/self/fd/"+strconv.Itoa(file)).Run() }()
			// Once somebody waits for it, the lease is said to be what it is to become.
			until(t, func() bool {
				left, err := unix.FcntlInt(uintptr(file), unix.F_GETLEASE, 0)
				if err != nil {
					t.Fatal(err)
				}
				return left != unix.F_WRLCK
			})
			var over atomic.Bool
			time.AfterFunc(100*time.Millisecond, func() {
				over.Store(true)
				_, _ = unix.FcntlInt(uintptr(file), unix.F_SETLEASE, unix.F_UNLCK)
			})
			if _, err := client.End(how); err != nil {
				t.Error(err)
			}
			if !over.Load() {
				info, err := server.Info()
				t.Errorf("closed while copies were about: the other end is in state %d (%v)", info.TCP.State, err)
			}
			if err := <-forked; err == nil {
				t.Error("an empty file was executed")
			}
			if _, err := server.ReadToEOF(); err != nil {
				t.Error(err)
			}
		})
	}
}

// leased returns an empty file with a lease on it.
func leased(t *testing.T) (file int) {
	t.Helper()
	made, err := unix.MemfdCreate("leased", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(made)
	// Only what was opened to be read can be leased against readers.
	if file, err = unix.Open("/proc/self/fd/"+strconv.Itoa(made), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(file) })
	if _, err := unix.FcntlInt(uintptr(file), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Fatalf("take a lease: %v", err)
	}
	return file
}
