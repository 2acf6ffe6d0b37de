package keeper

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// own are the folders that a command's file system does not have from the machine.
var own = []string{"/dev", "/proc", "/sys"}

// parseMounts returns the places below the root on which the machine has file systems
// mounted, each once and in order, without those in its own folders, from
// /proc/PID/mountinfo (proc_pid_mountinfo(5)). Nor are autofs's among them: looking
// there has a daemon mount something.
func parseMounts(text string) (places []string, err error) {
	for line := range strings.Lines(text) {
		before, after, found := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !found || len(fields) < 6 || len(kind) == 0 {
			return nil, fmt.Errorf("mountinfo: %q is no line of it", line)
		}
		place := unescape(fields[4])
		if !path.IsAbs(place) {
			return nil, fmt.Errorf("mountinfo: the mount point %q is not absolute", place)
		}
		place = path.Clean(place)
		if place != "/" && kind[0] != "autofs" && !slices.ContainsFunc(own, func(o string) bool { return within(o, place) }) {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	return slices.Compact(places), nil
}

// unescape undoes what mountinfo does to spaces, tabs, newlines and backslashes:
// three octal digits after a backslash (fs/seq_file.c, mangle_path).
func unescape(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		if len(text) >= 4 && text[0] == '\\' {
			if octet, err := strconv.ParseUint(text[1:4], 8, 8); err == nil {
				b.WriteByte(byte(octet))
				text = text[4:]
				continue
			}
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

// within reports whether a clean path is folder or below it.
func within(folder, p string) bool {
	return p == folder || strings.HasPrefix(p, strings.TrimSuffix(folder, "/")+"/")
}

// bindReadOnly shows a file or folder at another place too, where nothing can be
// written to it.
func bindReadOnly(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", from, to, err)
	}
	// The flags that it has are given anew: in a user namespace none of the
	// machine's may be lost (mount_namespaces(7)).
	var has unix.Statfs_t
	if err := unix.Statfs(to, &has); err != nil {
		return fmt.Errorf("statfs %s: %w", to, err)
	}
	flags := uintptr(has.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
	if has.Flags&unix.ST_RELATIME != 0 {
		flags |= unix.MS_RELATIME
	}
	err := unix.Mount("", to, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|flags, "")
	if err != nil {
		// What could be written to must not stay.
		return errors.Join(fmt.Errorf("make %s read-only: %w", to, err), unix.Unmount(to, unix.MNT_DETACH))
	}
	return nil
}
