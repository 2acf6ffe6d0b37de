package events

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

var errNoCgroup = errors.New("no mounted cgroup v2 hierarchy holds this process")

// ownCgroup is the folder of the process's cgroup of version 2, wherever that is
// mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside hierarchies of
// version 1 (cgroups(7)).
func ownCgroup() (string, error) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return findCgroup(membership, mounts)
}

// findCgroup reads /proc/PID/cgroup and /proc/PID/mountinfo (proc(5)).
func findCgroup(membership, mounts []byte) (string, error) {
	var own string
	for lines := bufio.NewScanner(bytes.NewReader(membership)); lines.Scan(); {
		if path, found := strings.CutPrefix(lines.Text(), "0::"); found {
			own = path
		}
	}
	if own == "" || strings.HasPrefix(own, "/../") { // above the root of its cgroup namespace
		return "", errNoCgroup
	}
	for lines := bufio.NewScanner(bytes.NewReader(mounts)); lines.Scan(); {
		place, kind, found := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(place)
		if !found || len(fields) < 5 || !strings.HasPrefix(kind, "cgroup2 ") {
			continue
		}
		root, at := unescape.Replace(fields[3]), unescape.Replace(fields[4])
		if below, err := filepath.Rel(root, own); err == nil && filepath.IsLocal(below) {
			return filepath.Join(at, below), nil
		}
	}
	return "", fmt.Errorf("%w (its cgroup is %s)", errNoCgroup, own)
}

// unescape puts back what mountinfo writes in octal (fs/proc_namespace.c,
// mangle).
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
