package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// While the file system is made, the root is a tmpfs with these in it.
const (
	machine = "/machine" // the machine's own
	made    = "/made"    // what becomes the command's
	trees   = "/trees"   // links to the trees, because all that is laid over each other has to be named in one page
	ours    = "/ours"    // folders that the command may write to, where the machine's may not be
	written = "/written" // what is written to each overlay
)

// A lacking names what the kernel does not have, and is its answer.
type lacking struct {
	name string
	err  error
}

func (l *lacking) Error() string { return l.err.Error() }

// changeRoot gives this process a root in which the trees are laid over the machine's
// files, and in which what is written is written to memory alone. The mount namespace
// is one of its own, and what is made in it goes with it.
func changeRoot(folders []string, u users) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	r := root{userNamespace: !u.all}
	if r.mounts, err = parseMounts(string(text)); err != nil {
		return err
	}
	if err := enterWorkshop(); err != nil {
		return err
	}
	if err := r.prove(); err != nil {
		return err
	}
	layers, err := r.layers(folders)
	if err != nil {
		return err
	}
	r.aside = putAside(layers)
	if err := r.lay("/", layers); err != nil {
		return err
	}
	if err := furnish(); err != nil {
		return err
	}
	return enter(made)
}

// enterWorkshop makes a tmpfs the root, with the machine's at its place in it. It is
// mounted on /proc for a moment, the one folder that is sure to be there.
func enterWorkshop() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	const at = "/proc"
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	if err := os.Mkdir(at+machine, 0o755); err != nil {
		return err
	}
	if err := unix.PivotRoot(at, at+machine); err != nil {
		return fmt.Errorf("pivot_root: %w%s", err, pivotHint(err))
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	for _, folder := range []string{made, trees, ours, written} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func pivotHint(err error) string {
	if errors.Is(err, unix.EINVAL) {
		return " (the root has to be a mounted file system: neither the initramfs nor a folder that chroot(2) was called with)"
	}
	return ""
}

// enter makes a folder the root and lets go of the one there was (pivot_root(2)).
func enter(folder string) error {
	if err := os.Chdir(folder); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root to the program's file system: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the machine's file system: %w", err)
	}
	return os.Chdir("/")
}

// A root is a file system in the making.
type root struct {
	userNamespace bool
	mounts        []string // the machine's, below its root
	aside         aside
	overlays      int // how many there are
}

// prove finds out whether there is overlayfs.
func (r *root) prove() error {
	err := r.overlay([]string{ours}, made)
	if err == nil {
		return unix.Unmount(made, 0)
	}
	if r.userNamespace {
		return &lacking{"overlayfs in user namespaces (CONFIG_OVERLAY_FS; Linux 5.11)", err}
	}
	return &lacking{"overlayfs (CONFIG_OVERLAY_FS, module overlay)", err}
}

// layers returns the folders to be laid over each other, the first on top.
func (r *root) layers(folders []string) (all []string, err error) {
	for i, folder := range folders {
		link := path.Join(trees, strconv.Itoa(i))
		if err := os.Symlink(machine+folder, link); err != nil {
			return nil, err
		}
		all = append(all, link)
	}
	if r.userNamespace {
		if err := makeOurs(); err != nil {
			return nil, err
		}
		all = append(all, ours)
	}
	return append(all, machine), nil
}

// makeOurs makes those of the machine's folders to which a program run as root
// expects that it can add something. In a user namespace the machine's belong to
// nobody, and an overlay cannot copy such a one up.
func makeOurs() error {
	for _, folder := range []string{
		"/etc", "/run", "/run/lock", "/srv", "/tmp", "/var", "/var/cache", "/var/lib", "/var/log", "/var/spool", "/var/tmp", "/var/www",
	} {
		info, err := os.Lstat(machine + folder)
		if err != nil || !info.IsDir() {
			continue // the machine does without, or has a link there
		}
		if err := makeFolder(ours+folder, info); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder makes a folder like another one.
func makeFolder(at string, like fs.FileInfo) error {
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	// In a user namespace it may be nobody's, and then is ours.
	owner := like.Sys().(*syscall.Stat_t)
	_ = os.Chown(at, int(owner.Uid), int(owner.Gid))
	return os.Chmod(at, like.Mode().Perm()|like.Mode()&(fs.ModeSticky|fs.ModeSetgid))
}
