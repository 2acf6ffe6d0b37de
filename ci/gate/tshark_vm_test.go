//go:build vm

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/pcapng"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// expectOpens wants tshark to read every capture of a run without a complaint. One
// process reads them all, as sections of one file, which they are after one another;
// a file that were broken anywhere would break it there.
func expectOpens(t *testing.T, out string) {
	t.Helper()
	var (
		all   bytes.Buffer
		files int
	)
	err := filepath.WalkDir(out, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".pcapng" {
			return err
		}
		files++
		octets, err := os.ReadFile(path)
		all.Write(octets)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "all.pcapng")
	if err := os.WriteFile(path, all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	frames := tshark(t, path, "frame.number", "frame.interface_name", "_ws.malformed", "_ws.short")
	for _, f := range frames {
		if f[1] != "client" && f[1] != "server" || f[2] != "" || f[3] != "" {
			t.Errorf("frame %s, of the %s, is not whole: %q", f[0], f[1], f[2:])
		}
	}
	t.Logf("%d captures, %d frames", files, len(frames))
	if files == 0 {
		t.Error("there is no capture")
	}
}

// A view is what one tap saw of one trial.
type view struct {
	name  string
	trial teardown.Trial
	tap   segment.Side
	seen  []segment.Sighting
	texts []string // of what was seen, in the notation of package segment
	// marked are our marks on what was seen.
	marked [][]mark
}

// views are all of a record's.
func views(t *testing.T, path string) (out []view) {
	t.Helper()
	record, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range record.Scenarios {
		for i, trial := range s.Trials {
			if trial.Exchange == nil {
				continue
			}
			numbers, _ := trial.Exchange.Numbering()
			for _, tap := range segment.Sides {
				v := view{trial: trial, tap: tap, seen: trial.Exchange.End(tap).Sightings}
				v.name = fmt.Sprintf("%s/%s, trial %d, the %v's tap", record.Kernel.Source, s.Name, i+1, tap)
				for _, seen := range v.seen {
					v.texts = append(v.texts, numbers.Relative(seen.Segment).String())
				}
				v.mark()
				out = append(out, v)
			}
		}
	}
	return out
}

// alone is the trial as if there had been but the one tap, in a network of its own:
// tshark tells connections apart by addresses and ports.
func (v view) alone(network int) teardown.Trial {
	own := slices.Clone(v.seen)
	for i, seen := range own {
		frame := slices.Clone(seen.Frame)
		for _, at := range networks(frame) {
			frame[at], frame[at+1] = byte(network>>8), byte(network)
		}
		own[i].Frame = frame
	}
	x := *v.trial.Exchange
	x.Client.Sightings, x.Server.Sightings = nil, nil
	x.End(v.tap).Sightings = own
	alone := v.trial
	alone.Exchange = &x
	return alone
}

// networks are where two octets of either address in a frame are, behind which those
// of the host follow.
func networks(frame []byte) [2]int {
	const ethernet = 14
	if frame[12] == 0x08 { // IPv4
		return [2]int{ethernet + 13, ethernet + 17}
	}
	return [2]int{ethernet + 20, ethernet + 36}
}

// analyse has tshark say what it makes of each segment of each view, in one run.
func analyse(t *testing.T, all []view) [][]analysis {
	t.Helper()
	path := filepath.Join(t.TempDir(), "views.pcapng")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for i, v := range all {
		if err := pcapng.Write(file, pcapng.Origin{}, v.alone(i)); err != nil {
			t.Fatal(err)
		}
	}
	fields := []string{"frame.interface_name"}
	for _, a := range analyses {
		fields = append(fields, "tcp.analysis."+string(a))
	}
	frames := tshark(t, path, fields...)
	var said [][]analysis
	for _, v := range all {
		if len(frames) < len(v.seen) {
			t.Fatalf("tshark found no more than %d frames of %s", len(frames), v.name)
		}
		for _, f := range frames[:len(v.seen)] {
			if f[0] != v.tap.String() {
				t.Fatalf("tshark found a frame of the %s where there is one of %s", f[0], v.name)
			}
			var set []analysis
			for i, a := range analyses {
				if f[i+1] != "" {
					set = append(set, a)
				}
			}
			said = append(said, set)
		}
		frames = frames[len(v.seen):]
	}
	return said
}

// dangerous is what tshark says to root.
var dangerous = regexp.MustCompile(`(?m)^Running as user .* This could be dangerous\.\n`)

// tshark reads a capture and returns the fields of each frame. Whatever it complains of
// is an error.
func tshark(t *testing.T, path string, fields ...string) [][]string {
	t.Helper()
	// What a connection carries is nobody's protocol, whichever port it got: 44818, say, is
	// one that tshark knows.
	args := []string{"-n", "-d", "tcp.port==1-65535,data", "-r", path, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "tshark", args...)
	// What the caller has set up for himself is not to change what it says.
	cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if said := dangerous.ReplaceAllString(stderr.String(), ""); err != nil || said != "" {
		t.Fatalf("tshark, which make tshark installs: %v: %s", err, said)
	}
	var frames [][]string
	for line := range strings.Lines(stdout.String()) {
		frames = append(frames, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return frames
}
