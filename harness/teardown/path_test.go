package teardown

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// told and sampled make notices of steps "STATE at ms"; what is sampled may be as
// much earlier as the second number says.
func told(source Source, from string, steps ...any) (notices []Notice) {
	for i := 0; i < len(steps); i += 2 {
		notices = append(notices, Notice{
			At: ms(steps[i+1].(int)), Source: source, Kind: StateNotice, From: from, To: steps[i].(string),
		})
		from = steps[i].(string)
	}
	return notices
}

func sampled(steps ...any) (notices []Notice) {
	for i := 0; i < len(steps); i += 3 {
		notices = append(notices, Notice{
			At: ms(steps[i+1].(int)), Earlier: ms(steps[i+2].(int)), Source: SockDiag, Kind: StateNotice, To: steps[i].(string),
		})
	}
	return notices
}

// mini is an answer of sock_diag's that is about a mini-socket.
func mini(step ...any) []Notice {
	notices := sampled(step...)
	notices[0].Timer = "timewait"
	return notices
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestPathPutsTheSourcesTogether(t *testing.T) {
	for _, c := range []struct {
		name    string
		held    bool
		notices []Notice
		want    []string
	}{
		{
			name: "after shutdown TIME_WAIT begins where the full socket ends", held: true,
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 120),
				told(InetSockSetState, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 120),
				sampled("ESTABLISHED", 90, 0, "FIN_WAIT2", 112, 20, "TIME_WAIT", 129, 8),
			),
			want: []string{
				"ESTABLISHED 0-0 inet_sock_set_state sock_diag sock_ops",
				"FIN_WAIT1 100-100 inet_sock_set_state sock_ops",
				"FIN_WAIT2 110-110 inet_sock_set_state sock_diag sock_ops",
				"TIME_WAIT 120-120 sock_diag blind sock_ops inet_sock_set_state",
			},
		},
		{
			name: "after close a mini-socket takes FIN_WAIT2 over, and nobody tells when it leaves",
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 110),
				sampled("ESTABLISHED", 90, 0, "FIN_WAIT2", 112, 20, "TIME_WAIT", 129, 8),
			),
			want: []string{
				"ESTABLISHED 0-0 sock_diag sock_ops",
				"FIN_WAIT1 100-100 sock_ops",
				"FIN_WAIT2 110-110 sock_diag sock_ops",
				"TIME_WAIT 121-129 sock_diag blind sock_ops",
			},
		},
		{
			name: "a mini-socket goes on from FIN_WAIT2 to TIME_WAIT, and is gone",
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 110),
				sampled("ESTABLISHED", 90, 0), mini("FIN_WAIT2", 112, 20), mini("TIME_WAIT", 129, 8), sampled("CLOSE", 60130, 5),
			),
			want: []string{
				"ESTABLISHED 0-0 sock_diag sock_ops",
				"FIN_WAIT1 100-100 sock_ops",
				"FIN_WAIT2 110-110 sock_diag sock_ops blind sock_ops",
				"TIME_WAIT 121-129 sock_diag blind sock_ops",
				"CLOSE 60125-60130 sock_diag",
			},
		},
		{
			name: "a mini-socket takes over long after the full one came to the same state, and is asked for late",
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 1110),
				sampled("FIN_WAIT2", 112, 20), mini("FIN_WAIT2", 1150, 300), sampled("CLOSE", 2130, 5),
			),
			want: []string{
				"ESTABLISHED 0-0 sock_ops",
				"FIN_WAIT1 100-100 sock_ops",
				"FIN_WAIT2 110-110 sock_diag sock_ops blind sock_ops",
				"CLOSE 2125-2130 sock_diag",
			},
		},
		{
			name: "the mini-socket's FIN_WAIT2 was missed",
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 110),
				sampled("ESTABLISHED", 90, 0, "TIME_WAIT", 129, 30),
			),
			want: []string{
				"ESTABLISHED 0-0 sock_diag sock_ops",
				"FIN_WAIT1 100-100 sock_ops",
				"FIN_WAIT2 110-110 sock_ops",
				"TIME_WAIT 110-129 sock_diag blind sock_ops",
			},
		},
		{
			name: "closed for good",
			notices: slices.Concat(
				told(SockOps, "CLOSE_WAIT", "LAST_ACK", 100, "CLOSE", 110),
				sampled("CLOSE_WAIT", 90, 0, "CLOSE", 115, 20),
			),
			want: []string{"CLOSE_WAIT 0-0 sock_diag sock_ops", "LAST_ACK 100-100 sock_ops", "CLOSE 110-110 sock_diag sock_ops"},
		},
		{
			name: "TIME_WAIT is over",
			notices: slices.Concat(
				told(SockOps, "FIN_WAIT1", "CLOSING", 100, "CLOSE", 110),
				sampled("FIN_WAIT1", 90, 0, "TIME_WAIT", 115, 20, "CLOSE", 60115, 10),
			),
			want: []string{
				"FIN_WAIT1 0-0 sock_diag sock_ops", "CLOSING 100-100 sock_ops",
				"TIME_WAIT 110-110 sock_diag blind sock_ops", "CLOSE 60105-60115 sock_diag",
			},
		},
		{
			name: "a mini-socket that is not there yet", held: true,
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 120),
				sampled("FIN_WAIT2", 112, 20, "CLOSE", 120, 8, "TIME_WAIT", 121, 1),
			),
			want: []string{
				"ESTABLISHED 0-0 sock_ops", "FIN_WAIT1 100-100 sock_ops", "FIN_WAIT2 110-110 sock_diag sock_ops",
				"TIME_WAIT 120-120 sock_diag blind sock_ops",
			},
		},
		{
			name: "the mini-socket was seen before the full one had gone", held: true,
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 120),
				sampled("ESTABLISHED", 90, 0, "FIN_WAIT2", 112, 20, "TIME_WAIT", 119, 7),
			),
			want: []string{
				"ESTABLISHED 0-0 sock_diag sock_ops", "FIN_WAIT1 100-100 sock_ops", "FIN_WAIT2 110-110 sock_diag sock_ops",
				"TIME_WAIT 120-120 sock_diag blind sock_ops",
			},
		},
		{
			name: "the kernel was interrupted for long before it said that the full one had gone", held: true,
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 140),
				sampled("ESTABLISHED", 90, 0, "FIN_WAIT2", 112, 20), mini("TIME_WAIT", 119, 7),
			),
			want: []string{
				"ESTABLISHED 0-0 sock_diag sock_ops", "FIN_WAIT1 100-100 sock_ops", "FIN_WAIT2 110-110 sock_diag sock_ops",
				"TIME_WAIT 140-140 sock_diag blind sock_ops",
			},
		},
		{
			name: "no socket at all, a moment before the full one is reported gone", held: true,
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 110, "CLOSE", 120),
				sampled("FIN_WAIT2", 112, 20, "CLOSE", 119, 7, "TIME_WAIT", 121, 2),
			),
			want: []string{
				"ESTABLISHED 0-0 sock_ops", "FIN_WAIT1 100-100 sock_ops", "FIN_WAIT2 110-110 sock_diag sock_ops",
				"TIME_WAIT 120-120 sock_diag blind sock_ops",
			},
		},
		{
			name:    "only sock_diag",
			notices: sampled("ESTABLISHED", 90, 0, "FIN_WAIT2", 112, 22, "TIME_WAIT", 129, 8),
			want:    []string{"ESTABLISHED 90-90 sock_diag", "FIN_WAIT2 90-112 sock_diag", "TIME_WAIT 121-129 sock_diag"},
		},
		{
			name: "a step that was taken while it was asked for", held: true,
			notices: slices.Concat(
				told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100),
				sampled("ESTABLISHED", 101, 0, "FIN_WAIT1", 103, 2),
			),
			want: []string{"ESTABLISHED 0-0 sock_diag sock_ops", "FIN_WAIT1 100-100 sock_diag sock_ops"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := withNotices(c.notices, c.held)
			path, err := x.path(segment.Server)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range path {
				text := fmt.Sprintf("%s %d-%d", s.State, (s.At - s.Earlier).Milliseconds(), s.At.Milliseconds())
				for _, source := range s.Sources {
					text += " " + string(source)
				}
				if len(s.Blind) > 0 {
					text += " blind"
				}
				for _, source := range s.Blind {
					text += " " + string(source)
				}
				got = append(got, text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func withNotices(notices []Notice, held bool) *Exchange {
	x := &Exchange{}
	if held {
		x.Server.Socket = &Socket{}
	}
	x.Server.Notices = notices
	for _, n := range notices {
		if !slices.Contains(x.Server.Sources, n.Source) {
			x.Server.Sources = append(x.Server.Sources, n.Source)
		}
	}
	return x
}

func TestSourcesThatContradictEachOther(t *testing.T) {
	for name, notices := range map[string][]Notice{
		"sock_ops says ESTABLISHED, FIN_WAIT1, and inet_sock_set_state says ESTABLISHED, CLOSE_WAIT": slices.Concat(
			told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100),
			told(InetSockSetState, "ESTABLISHED", "CLOSE_WAIT", 100),
		),
		"sock_diag says that it was in CLOSE_WAIT when sock_ops said FIN_WAIT1": slices.Concat(
			told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100),
			sampled("ESTABLISHED", 90, 0, "CLOSE_WAIT", 110, 5),
		),
		"sock_diag says that it was in ESTABLISHED when sock_ops said FIN_WAIT2": slices.Concat(
			told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 105),
			sampled("ESTABLISHED", 110, 3),
		),
		"sock_diag says that it was in TIME_WAIT when sock_ops said FIN_WAIT1": slices.Concat( // FIN_WAIT2 was to come, not CLOSE
			told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 115, "CLOSE", 120),
			sampled("ESTABLISHED", 90, 0), mini("TIME_WAIT", 110, 3),
		),
		"sock_diag says that it was in TIME_WAIT when sock_ops said FIN_WAIT2": slices.Concat(
			told(SockOps, "ESTABLISHED", "FIN_WAIT1", 100, "FIN_WAIT2", 105, "CLOSE", 112),
			sampled("TIME_WAIT", 110, 3),
		),
	} {
		_, err := withNotices(notices, true).path(segment.Server)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}
