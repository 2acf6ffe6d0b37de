package clock

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a thread was kept waiting for is found, and only in the time in which it was.
func TestWorstNoise(t *testing.T) {
	const ms = Instant(time.Millisecond)
	n := &Noise{due: 10 * ms}
	for _, at := range []Instant{10 * ms, 11*ms + 500, 12*ms + 900_000, 60 * ms, 61 * ms, 71 * ms, 72 * ms} {
		n.ran(at)
	}
	n.due = Now().Add(time.Hour) // it is not waiting
	for _, c := range []struct {
		from, to Instant
		want     time.Duration
	}{
		{0, 13 * ms, 0},
		{0, 100 * ms, 46_100 * time.Microsecond},
		{20 * ms, 30 * ms, 10 * time.Millisecond},
		{60 * ms, 100 * ms, 9 * time.Millisecond},
		{70 * ms, 100 * ms, time.Millisecond},
		{71 * ms, 100 * ms, 0},
	} {
		if got := n.Worst(c.from, c.to); got != c.want {
			t.Errorf("from %v to %v it is %v, want %v", time.Duration(c.from), time.Duration(c.to), got, c.want)
		}
	}
	n.due = Now().Add(-time.Second)
	if got := n.Worst(Now().Add(-time.Minute), Now()); got < time.Second || got > time.Minute {
		t.Errorf("what has waited for a second has been kept for %v", got)
	}
}

// A process that is stopped for a while is as late as one on a machine that does not
// run.
func TestNoiseIsHeard(t *testing.T) {
	const kept = 50 * time.Millisecond
	listener := exec.Command(os.Args[0])
	listener.Env = append(os.Environ(), listening+"=yes")
	ask, err := listener.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := listener.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Wait() }()
	defer ask.Close()
	var begun int
	if _, err := fmt.Fscanln(answers, &begun); err != nil {
		t.Fatal(err)
	}
	if err := listener.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// It tells when it has stopped.
	if _, err := unix.Wait4(listener.Process.Pid, nil, unix.WUNTRACED, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(kept) // for so long, and no event, it is to be stopped
	if err := listener.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var worst time.Duration
	if _, err := fmt.Fprintln(ask); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(answers, (*int64)(&worst)); err != nil {
		t.Fatal(err)
	}
	if worst < kept-noisePeriod {
		t.Errorf("it was stopped for %v, and hears of %v", kept, worst)
	}
}

const listening = "FINWAIT_TEST_LISTENS_TO_NOISE"

// TestMain lets the test program be the process that TestNoiseIsHeard stops.
func TestMain(m *testing.M) {
	if os.Getenv(listening) == "" {
		os.Exit(m.Run())
	}
	begin := Now()
	n := ListenToNoise()
	fmt.Println(1)
	_, _ = fmt.Scanln()
	fmt.Println(int64(n.Worst(begin, Now())))
}

func TestNoiseForgets(t *testing.T) {
	n := &Noise{}
	for i := range 3 * noiseKept {
		n.ran(n.due.Add(time.Duration(2+i) * time.Millisecond))
	}
	if len(n.late) > noiseKept {
		t.Errorf("%d delays are kept", len(n.late))
	}
	last := n.late[len(n.late)-1]
	if want := time.Duration(3*noiseKept+1) * time.Millisecond; last.by != want {
		t.Errorf("the last delay is %v, want %v", last.by, want)
	}
}

func BenchmarkNoise(b *testing.B) {
	n := ListenToNoise()
	defer n.Close()
	for b.Loop() {
		n.Worst(0, Now())
	}
}
