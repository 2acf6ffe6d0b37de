package events

import "testing"

func TestFindCgroup(t *testing.T) {
	for name, c := range map[string]struct{ membership, mounts, want string }{
		"unified": {
			"0::/user.slice/a\n",
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			"/sys/fs/cgroup/user.slice/a",
		},
		"hybrid": {
			"4:memory:/x\n1:cpu:/\n0::/\n",
			"36 35 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n41 35 0:36 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"/sys/fs/cgroup/unified",
		},
		"part of the hierarchy": {
			"0::/docker/1/a\n",
			"41 35 0:36 /other /elsewhere rw - cgroup2 cgroup2 rw\n42 35 0:36 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			"/sys/fs/cgroup/a",
		},
		"outside of its namespace": {"0::/../a\n", "41 35 0:36 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", ""},
		"with a space":             {"0::/a\n", `41 35 0:36 / /my\040cgroups rw - cgroup2 cgroup2 rw`, "/my cgroups/a"},
		"not mounted":              {"0::/\n", "36 35 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", ""},
		"version 1 only":           {"1:cpu:/\n", "41 35 0:36 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", ""},
		"nonsense":                 {"x", "41 - cgroup2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := findCgroup([]byte(c.membership), []byte(c.mounts))
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q and %v, want %q", got, err, c.want)
			}
		})
	}
}
