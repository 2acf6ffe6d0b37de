// Package local finds kernels that are on this machine's disk: in a folder that has
// them where a distribution does, in a tree in which one was built, or as files.
package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/finwait/finwait/harness/kernel"
)

// Resolve returns the kernel that a reference names, a Tree, a File or a Build. Nothing
// is copied. The error says what is not there, what is there instead, and what to do.
func Resolve(ref kernel.Reference) (kernel.Image, error) {
	find := map[kernel.Origin]func(kernel.Reference) (kernel.Image, error){
		kernel.Tree: tree, kernel.File: file, kernel.Build: build,
	}[ref.Origin]
	if find == nil {
		return kernel.Image{}, fmt.Errorf("%q names no kernel on this machine's disk", ref)
	}
	image, err := find(ref)
	if err != nil {
		return kernel.Image{}, fmt.Errorf("%v: %w", ref, err)
	}
	if image.Arch, err = kernel.Identify(image.Vmlinuz); err != nil {
		return kernel.Image{}, fmt.Errorf("%v: %w", ref, err)
	}
	image.Source = ref.String()
	return image, nil
}

// file describes a kernel's own file, and the folder of its modules.
func file(ref kernel.Reference) (kernel.Image, error) {
	release, err := kernel.ReleaseOf(ref.Name)
	if err != nil {
		return kernel.Image{}, err
	}
	image := kernel.Image{Vmlinuz: ref.Name, Modules: ref.Modules, Release: release}
	if ref.Modules == "" {
		return image, nil
	}
	if err := checkFolder(ref.Modules); err != nil {
		return kernel.Image{}, fmt.Errorf("modules: %w", err)
	}
	if !exists(filepath.Join(ref.Modules, builtinList)) {
		return kernel.Image{}, fmt.Errorf("modules: %s is no lib/modules/RELEASE folder of a kernel: it has no %s, only %s",
			ref.Modules, builtinList, list(ref.Modules))
	}
	// A path may end in a slash, or in a dot.
	folder, err := filepath.Abs(ref.Modules)
	if err != nil {
		return kernel.Image{}, err
	}
	if name := filepath.Base(folder); release == "" && kernel.IsRelease(name) {
		image.Release = name
	}
	image.Options, err = optionsIn(filepath.Join(ref.Modules, "config"))
	return image, err
}

// builtinList is in every folder of modules.
const builtinList = "modules.builtin"

func checkFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", path)
	}
	return nil
}

// optionsIn reads the first configuration that there is; nil where there is none.
func optionsIn(paths ...string) (map[string]byte, error) {
	if path := first(paths...); path != "" {
		return kernel.ReadConfig(path)
	}
	return nil, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// mostListed is how many of a folder's names an error has room for.
const mostListed = 12

// plain is a file's name as it can stand in a line; quoted where it could not.
func plain(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(name) {
		return strconv.Quote(name)
	}
	return name
}

// list is what is in a folder, as an error says it.
func list(folder string) string {
	entries, err := os.ReadDir(folder)
	switch {
	case err != nil:
		return "what cannot be read: " + err.Error()
	case len(entries) == 0:
		return "nothing"
	}
	var names []string
	for _, entry := range entries[:min(mostListed, len(entries))] {
		names = append(names, plain(entry.Name()))
	}
	text := strings.Join(names, ", ")
	if more := len(entries) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
