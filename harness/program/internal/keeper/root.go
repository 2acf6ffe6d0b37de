package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
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

// lay makes a place of the command's file system of what there is for it, the first
// on top. What is a folder becomes an overlay. The kernel refuses one of folders that
// contain each other, as a tree on the machine's disk and that disk's root do
// (fs/overlayfs/super.c, ovl_check_layer), and in a user namespace one of a folder
// with mounts in it (fs/namespace.c, clone_private_mount): such a one is made
// entry by entry. What cannot be overlaid at all can be read only.
func (r *root) lay(place string, layers []string) error {
	if slices.Contains(own, place) {
		return nil
	}
	at := made + place
	info, err := os.Stat(layers[0])
	if err != nil {
		return err
	}
	if !info.IsDir() {
		r.plant(layers[0], at)
		return nil
	}
	inner := r.inner(place)
	if r.aside.concerns(place) || r.overlay(layers, at) != nil {
		if len(layers) > 1 || len(inner) > 0 {
			return r.layEach(place, layers, info)
		}
		// What refuses this as well, such as the files of another mount namespace, is left
		// out.
		_ = bindReadOnly(layers[0], at)
	}
	for _, mount := range inner {
		if below := descend(layers, strings.TrimPrefix(mount, place)); len(below) > 0 {
			if err := r.lay(mount, below); err != nil {
				return err
			}
		}
	}
	return nil
}

// inner returns the mounts below a place that are not below one another.
func (r *root) inner(place string) (outermost []string) {
	for _, m := range r.mounts {
		if m != place && within(place, m) && !slices.ContainsFunc(outermost, func(o string) bool { return within(o, m) }) {
			outermost = append(outermost, m)
		}
	}
	return outermost
}

// layEach makes a folder entry by entry.
func (r *root) layEach(place string, layers []string, like fs.FileInfo) error {
	at := made + place
	if err := r.cover(at, like); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, layer := range layers {
		entries, err := os.ReadDir(layer)
		if err != nil && !errors.Is(err, fs.ErrPermission) { // who may not read it sees nothing there
			return err
		}
		for _, e := range entries {
			names[e.Name()] = true
		}
	}
	for name := range names {
		below := r.aside.entry(place, layers, name)
		if len(below) == 0 {
			continue // it went, or the user may not look at it
		}
		if err := r.enterInto(path.Join(place, name), below); err != nil {
			return err
		}
	}
	return nil
}

// cover mounts an empty folder like another one on a place.
func (r *root) cover(at string, like fs.FileInfo) error {
	empty := r.scratch()
	if err := makeFolder(empty, like); err != nil {
		return err
	}
	if err := unix.Mount(empty, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", empty, at, err)
	}
	return nil
}

// enterInto makes an entry of a folder that is made entry by entry.
func (r *root) enterInto(place string, layers []string) error {
	at := made + place
	info, err := os.Lstat(layers[0])
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // the machine goes on meanwhile
	case err != nil:
		return err
	case info.IsDir():
		if err := makeFolder(at, info); err != nil {
			return err
		}
		return r.lay(place, layers)
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(layers[0])
		if err != nil {
			return err
		}
		return os.Symlink(to, at)
	case info.Mode().IsRegular():
		if err := os.WriteFile(at, nil, 0o644); err != nil {
			return err
		}
		r.plant(layers[0], at)
	}
	return nil // sockets, pipes and devices lead to the machine's programs and parts
}

// plant shows a file that has a mount of its own, or whose folder has no overlay.
// What may not be looked at is left out.
func (r *root) plant(file, at string) { _ = bindReadOnly(file, at) }

// scratch returns the name of something new in memory.
func (r *root) scratch() string {
	r.overlays++
	return path.Join(written, strconv.Itoa(r.overlays))
}

// overlay mounts an overlay of folders, the first on top, to which is written in
// memory. Device nodes in it are none.
func (r *root) overlay(layers []string, at string) error {
	// The overlay's root has the attributes of its topmost folder, which is upper.
	info, err := os.Stat(layers[0])
	if err != nil {
		return err
	}
	own := r.scratch()
	upper, work := own+"/upper", own+"/work"
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	if err := makeFolder(upper, info); err != nil {
		return err
	}
	escaped := make([]string, len(layers))
	for i, layer := range layers {
		escaped[i] = escape.Replace(layer)
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(escaped, ":"), upper, work)
	if r.userNamespace {
		options += ",userxattr" // Linux 5.11; trusted ones are the machine's root's (Documentation/filesystems/overlayfs.rst)
	}
	if err := unix.Mount("overlay", at, "overlay", unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount an overlay (%s): %w", options, err)
	}
	return nil
}

// escape is for what separates folders and options.
var escape = strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`)

// descend returns what there is in folders, the first on top, at a path below them:
// folders that are laid over each other, or one file that hides all else.
func descend(layers []string, below string) []string {
	for name := range strings.SplitSeq(strings.Trim(below, "/"), "/") {
		var next []string
		for _, layer := range layers {
			p := path.Join(layer, name)
			info, err := os.Lstat(p)
			if err != nil {
				continue
			}
			if !info.IsDir() {
				if next == nil {
					next = []string{p}
				}
				break
			}
			next = append(next, p)
		}
		layers = next
	}
	return layers
}
