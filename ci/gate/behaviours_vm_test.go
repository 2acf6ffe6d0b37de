//go:build vm

package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/report"
)

// A known behaviour is what the source of two kernels says: Linux 5.10.262 of
// Debian bullseye and 6.12.118 of trixie.
type known struct{ bullseye, trixie string }

var knownBehaviours = map[string]known{
	// In both since 5.10.247 and 6.12.57: __tcp_close counts only what is after copied_seq.
	"close-after-repeated-data": {"FIN", "FIN"},
	// In both since 5.10.205 and 6.7: tcp_ack takes the smaller of max_window and bytes_acked.
	"too-old-ack": {"challenge ACK", "challenge ACK"},
	// The fast path of 5.10's tcp_rcv_established queues the data before it calls tcp_ack, and
	// does not look at what that returns; since 6.12.117 it is not taken by such a segment.
	"too-old-ack-in-sequence": {"accepted, challenge ACK", "challenge ACK"},
	// tcp_ack returns without a word in both; since 7.0 it challenges.
	"ack-of-unsent-data": {"nothing", "nothing"},
	// tcp_data_queue lets a FIN without data into a closed window since 6.10 (2bd99aef1b19).
	"zero-window-fin": {"dropped", "accepted"},
	// tcp_sequence heeds the end of a segment since 6.17 (9ca48d616ed7).
	"data-beyond-window": {"accepted", "accepted"},
	// tcp_check_req resets for any RST in the window until 6.12.105 (a28c4fcbf774).
	"reset-in-handshake": {"aborted", "challenge ACK"},
	// tcp_abort leaves what is SOCK_DEAD alone until 6.10.9 (bac76cf89816).
	"destroy-orphan": {"nothing", "RST"},
	// tcp_invalid_ratelimit, 500 ms in both.
	"second-challenge-ack": {"nothing", "nothing"},
	// A static challenge_count in 5.10's tcp_send_challenge_ack; INT_MAX by default since 6.1
	// (79e3602caa6f).
	"challenge-ack-budget": {"out for the host", "without limit"},
	// tcp_validate_incoming sends a duplicate ACK until 6.14 (d16b34479064).
	"old-ack-failing-paws": {"duplicate ACK", "duplicate ACK"},
	// tcp_timewait_state_process answers whatever fails PAWS, in every kernel that was read.
	"old-ack-in-time-wait": {"duplicate ACK", "duplicate ACK"},
	// tcp_timewait_state_process has a counter of its own since 6.16 (c449d5f3a3d7).
	"syn-failing-paws": {"ACK, PAWSEstab", "ACK, PAWSEstab"},
	// tw_timer_handler counts in 5.10, __inet_twsk_schedule since 6.1.
	"time-wait-counter": {"when it ends", "when it begins"},
	// In both since 5.10.221 and 6.10.
	"established-counter": {"counted", "counted"},
	// Since 6.11 (f086edef71be).
	"rto-min": {"absent", "obeyed"},
	// Since 6.15 (1280c26228bd).
	"rto-max": {"absent", "absent"},
	// Later than 6.12.
	"tw-reuse-delay": {"absent", "absent"},
	// tcp_twsk_unique looks at the mini-socket's state in both, since 5.10.234 and 6.11.4.
	"connect-over-fin-wait2": {"refused", "refused"},
	// tcp_shutdown leaves SYN_RECV to tcp_rcv_state_process in both, since 5.10.218 and 6.8.11.
	"shutdown-in-handshake": {"after the handshake", "after the handshake"},
	// 5.10 is without 795a7dfbc3d9; 6.12.117 updates TS.Recent on an old ACK.
	"echo-of-late-fin": {"not accepted", "that of the FIN"},
}

// TestBehaviours holds what experiments show against what the source says.
func TestBehaviours(t *testing.T) {
	out := t.TempDir()
	status, stdout, stderr := gate(t, "run", "--label-filter", "behaviour", "--trials", "3", "--baseline", "debian/bullseye", "--out", out, "debian/trixie")
	if status != exitNoRegression {
		t.Fatalf("it exits %d\n%s%s", status, stdout, stderr)
	}
	bullseye := expectBehaviours(t, filepath.Join(out, "debian-bullseye", "record.json"), func(k known) string { return k.bullseye })
	trixie := expectBehaviours(t, filepath.Join(out, "debian-trixie", "record.json"), func(k known) string { return k.trixie })
	different := changedTo(t, out, report.Differs)
	for name := range bullseye {
		differs := slices.Contains(different, name)
		if want := bullseye[name] != trixie[name]; differs != want {
			t.Errorf("%s is listed as not the same: %v, want %v\n%s", name, differs, want, stdout)
		}
	}
}

// expectBehaviours wants every question asked, and each answered as it is known. It
// returns the answers by the scenario's name.
func expectBehaviours(t *testing.T, path string, of func(known) string) map[string]string {
	t.Helper()
	record, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{}
	for _, s := range record.Scenarios {
		answers[s.Name] = s.Observed
	}
	for _, q := range behaviour.All() {
		k, expected := knownBehaviours[q.Name]
		if got := answers["behaviour/"+q.Name]; !expected || got != of(k) {
			t.Errorf("%s: %s: %q, want %q", record.Kernel, q.Name, got, of(k))
		}
	}
	return answers
}
