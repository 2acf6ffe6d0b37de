package local

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/kernel"
)

// tree finds the one kernel below a folder, which has it where distributions do: the
// kernel as boot/vmlinuz-RELEASE, or beside its modules in lib/modules/RELEASE.
func tree(ref kernel.Reference) (kernel.Image, error) {
	root := ref.Name
	if err := checkFolder(root); err != nil {
		return kernel.Image{}, err
	}
	if exists(filepath.Join(root, kernel.BuiltRelease)) {
		return kernel.Image{}, fmt.Errorf("a kernel was built in it: name it build:%s", root)
	}
	found, without := installed(root)
	if name, odd := oddRelease(found, without); odd {
		return kernel.Image{}, fmt.Errorf("%q is no kernel's release: name the folder into which a kernel's package was unpacked", name)
	}
	switch {
	case len(found) == 1:
		image := found[0]
		var err error
		image.Options, err = optionsIn(filepath.Join(root, "boot", "config-"+image.Release), filepath.Join(image.Modules, "config"))
		return image, err
	case len(found) > 1:
		var releases []string
		for _, image := range found {
			releases = append(releases, image.Release)
		}
		return kernel.Image{}, fmt.Errorf("it holds %d kernels, %s: name one of them, such as %v", len(found), strings.Join(releases, ", "),
			kernel.Reference{Origin: kernel.File, Name: found[0].Vmlinuz, Modules: found[0].Modules})
	case len(without) > 0:
		return kernel.Image{}, fmt.Errorf("it holds %s, and no lib/modules folder of that release: unpack the package with its modules there, too; "+
			"if all is built in, name it %v", strings.Join(without, ", "), kernel.Reference{Origin: kernel.File, Name: without[0]})
	}
	return kernel.Image{}, fmt.Errorf("it holds no kernel, neither boot/vmlinuz-RELEASE nor lib/modules/RELEASE/vmlinuz, only %s: "+
		"name the folder into which a kernel's package was unpacked", list(root))
}

// installed are the kernels below a folder with modules of their own, by release, and
// the paths of those without.
func installed(root string) (found []kernel.Image, without []string) {
	for _, lib := range []string{"lib", "usr/lib"} {
		// Where /lib is a link to /usr/lib, they are found twice.
		folders, _ := filepath.Glob(filepath.Join(escape(root), lib, "modules", "*"))
		for _, folder := range folders {
			image, ok := withModules(root, folder)
			if ok && !slices.ContainsFunc(found, func(other kernel.Image) bool { return other.Release == image.Release }) {
				found = append(found, image)
			}
		}
	}
	boots, _ := filepath.Glob(filepath.Join(escape(root), "boot", "vmlinuz-*"))
	for _, path := range boots {
		if !slices.ContainsFunc(found, func(image kernel.Image) bool { return image.Vmlinuz == path }) {
			without = append(without, path)
		}
	}
	return found, without
}

// oddRelease is what a folder's name has as a release that is none, or a file's where
// there is nothing else.
func oddRelease(found []kernel.Image, without []string) (name string, odd bool) {
	var names []string
	for _, image := range found {
		names = append(names, image.Release)
	}
	if len(found) == 0 {
		for _, path := range without {
			names = append(names, strings.TrimPrefix(filepath.Base(path), "vmlinuz-"))
		}
	}
	at := slices.IndexFunc(names, func(name string) bool { return !kernel.IsRelease(name) })
	if at < 0 {
		return "", false
	}
	return names[at], true
}

// withModules describes the kernel whose modules are in a folder below a root, if its
// own file is there.
func withModules(root, folder string) (kernel.Image, bool) {
	release := filepath.Base(folder)
	image := kernel.Image{
		Release: release,
		Modules: folder,
		Vmlinuz: first(
			filepath.Join(root, "boot", "vmlinuz-"+release),
			filepath.Join(folder, "vmlinuz"),
			filepath.Join(root, "boot", "Image-"+release), // SUSE, on arm64
			filepath.Join(folder, "Image"),
		),
	}
	return image, image.Vmlinuz != ""
}

// first is the first of some paths where there is something; empty if there is nothing.
func first(paths ...string) string {
	for _, path := range paths {
		if exists(path) {
			return path
		}
	}
	return ""
}

// escape makes a path a pattern that matches it alone.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
