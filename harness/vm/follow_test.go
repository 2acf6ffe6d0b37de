package vm

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// What scripts that stand in for QEMU say: with the guest's voice on 3, the
// console, 4, init's messages, and 5, the stream; and with QEMU's own on 6, the
// monitor. What is asked there, they know.
const (
	saysBooted = `printf '{"booted":{}}\n' >&4; printf '{"QMP":{}}{"return":{}}{"event":"GUEST_PANICKED"}{"event":"STOP"}{"return":{}}' >&6;`
	saysReady  = saysBooted + `printf '{"ready":{"release":"6.1.0","uptime_ns":7}}\n' >&4;`
	saysExit   = `printf '{"exit":{"status":5,"uptime_ns":9}}\n' >&4;`
	hangs      = `exec sleep 1000`
)

func TestFollow(t *testing.T) {
	ready := Result{Release: "6.1.0", Uptime: 7, Accelerator: TCG}
	done := Result{Status: 5, Release: "6.1.0", Uptime: 7, Ran: 2, Accelerator: TCG}
	for name, c := range map[string]struct {
		script   string
		patience time.Duration
		result   Result
		lines    []string
		reason   Reason // of the failure, if any
		text     string // in its error
	}{
		"done": {
			script: saysReady + `echo '{"a":1}' >&5; echo '[]' >&5;` + saysExit,
			result: done, lines: []string{`{"a":1}`, "[]"},
		},
		"done but does not power off": {
			script: saysReady + saysExit + hangs,
			result: done,
		},
		"done in spite of an unfinished line": {
			script: saysReady + `printf '{"a":' >&5;` + saysExit,
			result: done,
		},
		"silent for a while, often": {
			script:   saysReady + `for i in 1 2 3 4 5 6 7 8; do sleep 0.3; echo tick >&3; done;` + saysExit,
			patience: 2 * time.Second,
			result:   done,
		},
		"silent for too long": {
			script:   saysReady + `echo '"last"' >&5; echo 'last words' >&3;` + hangs,
			patience: 300 * time.Millisecond,
			result:   ready, lines: []string{`"last"`}, reason: Hung, text: "last words",
		},
		"setup fails": {
			script: `printf '{"fail":{"step":"setup","cause":"mount cgroup2"}}\n' >&4`,
			reason: SetupFailed, text: "mount cgroup2",
		},
		"garbled message": {
			script: saysReady + `printf 'nonsense\n' >&4;` + hangs,
			result: ready, reason: BadStream, text: "nonsense",
		},
		"garbled line after the end": {
			script: saysReady + saysExit + `echo 1 >&5; head -c 9000000 /dev/zero >&5; echo 2 >&5`,
			result: ready, lines: []string{"1"}, reason: BadStream, text: "longer than",
		},
		"panic before init": {
			script: `echo '[ 1.0] Kernel panic - not syncing: No working init found.' >&3`,
			reason: Panicked, text: "No working init found.",
		},
		"panic that does not end QEMU": {
			script:   saysReady + `echo '[ 1.0] Kernel panic - not syncing: Fatal exception' >&3;` + hangs,
			patience: 300 * time.Millisecond,
			result:   ready, reason: Panicked, text: "Fatal exception",
		},
		"off before init": {
			script: `echo 'going off' >&3`,
			reason: NeverBooted, text: "going off",
		},
		"QEMU killed": {
			script: saysReady + `kill -KILL $$`,
			result: ready, reason: Ended, text: "QEMU: signal: killed",
		},
		"QEMU failed": {
			script: saysReady + `echo 'out of luck' >&2; exit 1`,
			result: ready, reason: Ended, text: "QEMU: exit status 1: out of luck",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			pretendQEMU(t, c.script)
			payload, _ := files(t)
			m := endless(t)
			m.Patience = c.patience
			begin := time.Now()
			lines, result, err := run(t, m, payload)
			g.Expect(time.Since(begin)).To(BeNumerically("<", time.Minute), "QEMU was not killed")
			if c.result == (Result{}) {
				c.result.Accelerator = TCG
			}
			g.Expect(result).To(Equal(c.result))
			g.Expect(lines).To(Equal(c.lines))
			if c.reason == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(failFor(c.reason))
			g.Expect(err).To(MatchError(ContainSubstring(c.text)))
		})
	}
}

// TestSlowReader takes longer over each line and each part of the console than
// the guest may be silent. What the guest did does not depend on that.
func TestSlowReader(t *testing.T) {
	slow := func() { time.Sleep(300 * time.Millisecond) }
	says := saysReady + `echo 1 >&5; echo 2 >&5; echo three >&3;`
	for name, c := range map[string]struct {
		script string
		err    OmegaMatcher
	}{
		"done":      {says + saysExit, Succeed()},
		"off early": {says, failFor(Ended)},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			pretendQEMU(t, c.script)
			payload, _ := files(t)
			m := endless(t)
			m.Patience = 100 * time.Millisecond
			m.Console = writerFunc(func(p []byte) (int, error) {
				slow()
				return len(p), nil
			})
			var lines []string
			_, err := m.Run(t.Context(), payload, func(line []byte) {
				slow()
				lines = append(lines, string(line))
			})
			g.Expect(err).To(c.err)
			g.Expect(lines).To(Equal([]string{"1", "2"}))
		})
	}
}

func TestStoppedWithACause(t *testing.T) {
	g := NewWithT(t)
	pretendQEMU(t, saysReady+`echo 1 >&5;`+hangs)
	payload, _ := files(t)
	enough := errors.New("enough seen")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := endless(t).Run(ctx, payload, func([]byte) { cancel(enough) })
	g.Expect(err).To(failFor(Stopped))
	g.Expect(err).To(MatchError(enough))
}

func TestSpoolReadsAhead(t *testing.T) {
	g := NewWithT(t)
	r, w := io.Pipe()
	s := newSpool(r, func() {})
	text := strings.Repeat("0123456789", 100_000)
	// Nobody reads from the spool until all has been written.
	_, err := io.WriteString(w, text)
	g.Expect(err).NotTo(HaveOccurred())
	w.Close()
	read, err := io.ReadAll(s)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(read)).To(Equal(text))
}

func TestCheck(t *testing.T) {
	for _, m := range []Machine{
		{Clock: "sundial"},
		{CPUs: 2},
		{CPUs: -1, Clock: Real},
		{MemoryMiB: -1},
		{Patience: -1},
		{BootDeadline: -1},
	} {
		if _, err := m.Run(t.Context(), Payload{}, ignore); err == nil || errors.As(err, new(*Error)) {
			t.Errorf("%+v: got %v", m, err)
		}
	}
}

// pretendQEMU puts a shell script in the place of QEMU.
func pretendQEMU(t *testing.T, script string) {
	t.Helper()
	folder := openFolder(t)
	if err := os.WriteFile(filepath.Join(folder, qemuProgram), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
