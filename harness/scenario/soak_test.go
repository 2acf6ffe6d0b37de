//go:build soak

package scenario_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/clock"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/teardown"
)

const soakTrials = 10_000

// TestSoak plays the case finwait was made for over and over, first with the
// machine for itself, then while another program keeps every processor busy. It
// fails where a verdict is wrong: not what the scenario expects of a good
// kernel, and not inconclusive.
func TestSoak(t *testing.T) {
	soak(t, "with nothing else to do")
	for _, cpu := range processors(t) {
		keepBusy(t, cpu)
	}
	soak(t, "with another program keeping every processor busy")
}

func soak(t *testing.T, how string) {
	t.Helper()
	s := overtakenFIN
	s.Noise = clock.ListenToNoise()
	defer s.Noise.Close()
	outcomes := map[teardown.Outcome]int{}
	why := map[string]int{}
	began := time.Now()
	for trial, err := range scenario.Repeat(t.Context(), s, soakTrials, 0) {
		if err != nil {
			t.Fatal(err)
		}
		outcomes[trial.Outcome]++
		for _, reason := range trial.Why {
			why[reason]++
		}
	}
	took := time.Since(began)
	inconclusive := outcomes[teardown.Inconclusive]
	wrong := soakTrials - outcomes[s.Expected()] - inconclusive
	fmt.Printf("%s on Linux %s, %d processors, %s:\n", s.Name, release(t), runtime.NumCPU(), how)
	fmt.Printf("  %8.1f trials per second\n  %8d trials\n  %8d wrong verdicts\n  %8d inconclusive\n",
		soakTrials/took.Seconds(), soakTrials, wrong, inconclusive)
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		fmt.Printf("  %8d times because %s\n", why[reason], reason)
	}
	switch {
	case wrong > 0:
		t.Errorf("%s: %d of %d trials did not end %s: %v; a kernel without \"net: tcp: accept old ack during closing\" ends all of them retransmitted",
			how, wrong, soakTrials, s.Expected(), outcomes)
	case inconclusive == soakTrials:
		t.Errorf("%s: no trial was conclusive", how)
	}
}

func release(t *testing.T) string {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	return unix.ByteSliceToString(name.Release[:])
}

// processors are those that this process may use.
func processors(t *testing.T) (list []int) {
	t.Helper()
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; len(list) < allowed.Count(); cpu++ {
		if allowed.IsSet(cpu) {
			list = append(list, cpu)
		}
	}
	return list
}

// busyProcessor tells this program's own copy which processor to keep busy.
const busyProcessor = "FINWAIT_BUSY_PROCESSOR"

// keepBusy keeps a processor busy by another process until the test ends. The
// process lives no longer than this one, however it ends: its standard input is
// a pipe that nobody else holds.
func keepBusy(t *testing.T, cpu int) {
	t.Helper()
	busy := exec.Command(os.Args[0], "-test.run=^TestIsBusy$")
	busy.Env = append(os.Environ(), fmt.Sprintf("%s=%d", busyProcessor, cpu))
	busy.Stderr = os.Stderr
	hold, err := busy.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	ready, err := busy.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hold.Close()
		if err := busy.Wait(); err != nil {
			t.Errorf("the program that kept processor %d busy: %v", cpu, err)
		}
	})
	if _, err := io.ReadFull(ready, make([]byte, len(isBusy))); err != nil {
		t.Fatalf("the program that is to keep processor %d busy did not say that it does: %v", cpu, err)
	}
}

const isBusy = "busy\n"

// TestIsBusy is the other program, when TestSoak runs it.
func TestIsBusy(t *testing.T) {
	cpu, err := strconv.Atoi(os.Getenv(busyProcessor))
	if err != nil {
		t.Skip("this is what TestSoak keeps the processors busy with")
	}
	var one unix.CPUSet
	one.Set(cpu)
	runtime.LockOSThread()
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Print(isBusy)
	for n := 0; ; n++ { // until there is nobody left to be in the way of
	}
}
