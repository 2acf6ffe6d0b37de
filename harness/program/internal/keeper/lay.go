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

	"golang.org/x/sys/unix"
)

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
		below := descend(layers, strings.TrimPrefix(mount, place))
		if len(below) == 0 || isLink(below[0]) {
			continue // a tree has something else there, or the user may not look at it
		}
		if err := r.lay(mount, below); err != nil {
			return err
		}
	}
	return nil
}

func isLink(at string) bool {
	info, err := os.Lstat(at)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
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

// plant shows a file that has a mount of its own, or whose folder has no overlay. One
// that the kernel does not show twice stays empty.
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
