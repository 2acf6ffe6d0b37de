package vm

import (
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is the user and the group without rights to any file.
const nobody = 65534

// confined is whom QEMU runs as: nobody, where the caller is root, with no more
// than the group that may use KVM; otherwise the caller, and then it is nil. A root that
// may not become another user, as in a container or a user namespace of its own, is left
// as it is.
func confined() *syscall.Credential {
	if os.Geteuid() != 0 || !mayChangeUser() {
		return nil
	}
	who := &syscall.Credential{Uid: nobody, Gid: nobody}
	var device unix.Stat_t
	if unix.Stat(kvmDevice, &device) == nil && device.Gid != 0 {
		who.Groups = []uint32{device.Gid}
	}
	return who
}

// mayUse says whether a file's mode has someone other than root read and write it
// (path_resolution(7)): the first of owner, group and others that fits decides.
func mayUse(who *syscall.Credential, path string) bool {
	var file unix.Stat_t
	if unix.Stat(path, &file) != nil {
		return false
	}
	const readWrite = unix.S_IROTH | unix.S_IWOTH
	mode := file.Mode
	switch {
	case file.Uid == who.Uid:
		mode >>= 6
	case file.Gid == who.Gid || slices.Contains(who.Groups, file.Gid):
		mode >>= 3
	}
	return mode&readWrite == readWrite
}

// mayChangeUser asks for the rights that capabilities(7) wants of setuid(2), setgid(2),
// setgroups(2) and chown(2), and whether there is such a user (user_namespaces(7)).
func mayChangeUser() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has [2]unix.CapUserData
	if unix.Capget(&header, &has[0]) != nil {
		return false
	}
	const wanted = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_CHOWN
	if has[0].Effective&wanted != wanted {
		return false
	}
	users, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && slices.Equal(strings.Fields(string(users)), []string{"0", "0", "4294967295"})
}

// give makes the one whom QEMU runs as the owner of files without a name, or of pipes, all
// of which QEMU opens once more.
func give(who *syscall.Credential, files ...*os.File) error {
	if who == nil {
		return nil
	}
	for _, file := range files {
		if err := file.Chown(int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	return nil
}
