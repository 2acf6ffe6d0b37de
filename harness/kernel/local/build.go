package local

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/finwait/finwait/harness/kernel"
)

// A target is what boots of an architecture, in the order in which it is looked for,
// and what makes the first of them.
type target struct {
	option string // of the configuration, which says that it is this architecture
	files  []string
	make   string
}

var targets = []target{
	{"CONFIG_X86_64", []string{"arch/x86/boot/bzImage"}, "make bzImage"},
	{"CONFIG_ARM64", []string{"arch/arm64/boot/Image", "arch/arm64/boot/Image.gz", "arch/arm64/boot/vmlinuz.efi"}, "make Image"},
}

// build describes the kernel that was built in a tree.
func build(ref kernel.Reference) (kernel.Image, error) {
	tree := ref.Name
	if err := checkFolder(tree); err != nil {
		return kernel.Image{}, err
	}
	config := filepath.Join(tree, ".config")
	if !exists(config) {
		return kernel.Image{}, fmt.Errorf("no kernel is built in it: it has no .config, only %s: name the folder in which make was run, or its O=", list(tree))
	}
	options, err := kernel.ReadConfig(config)
	if err != nil {
		return kernel.Image{}, err
	}
	vmlinuz, err := built(tree, options)
	if err != nil {
		return kernel.Image{}, err
	}
	release, err := kernel.ReadBuiltRelease(tree)
	if err != nil {
		return kernel.Image{}, fmt.Errorf("the build is not complete: %w: run make again", err)
	}
	image := kernel.Image{Release: release, Vmlinuz: vmlinuz, Options: options}
	image.Modules, err = modulesOf(tree, image.Release, options)
	return image, err
}

// built finds the file that boots.
func built(tree string, options map[string]byte) (string, error) {
	for _, t := range targets {
		if options[t.option] != 'y' {
			continue
		}
		for _, file := range t.files {
			if path := filepath.Join(tree, file); exists(path) {
				return path, nil
			}
		}
		return "", fmt.Errorf("no kernel has been built in it: there is no %s: run %s", t.files[0], t.make)
	}
	return "", fmt.Errorf("its .config is of neither x86-64 (CONFIG_X86_64) nor arm64 (CONFIG_ARM64), and no other kernel can be booted")
}

// modulesOf finds the modules of a build: those that were installed in the tree, else
// the tree itself, if they were built; none where all is built in.
func modulesOf(tree, release string, options map[string]byte) (string, error) {
	for _, pattern := range []string{"lib/modules", "*/lib/modules"} {
		found, _ := filepath.Glob(filepath.Join(escape(tree), pattern, escape(release), builtinList))
		if len(found) > 0 {
			return filepath.Dir(found[0]), nil
		}
	}
	modules := modular(options)
	switch {
	case len(modules) > 0 && !exists(filepath.Join(tree, "modules.order")):
		return "", fmt.Errorf("its .config makes modules of %d options, such as %s, and they are not built: run make modules", len(modules), modules[0])
	case exists(filepath.Join(tree, builtinList)):
		return tree, nil
	case len(modules) > 0:
		return "", fmt.Errorf("the build is not complete: it has modules, and no %s: run make again", builtinList)
	}
	return "", nil
}

// modular are the options that are set to m, in order.
func modular(options map[string]byte) (names []string) {
	for option, value := range options {
		if value == 'm' {
			names = append(names, option)
		}
	}
	slices.Sort(names)
	return names
}
