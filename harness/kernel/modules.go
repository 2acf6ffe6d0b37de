package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/finwait/finwait/harness/kernel/internal/decompress"
)

// maxModule bounds a decompressed module, in bytes, so that a damaged file
// cannot fill the memory. The largest in Debian's kernels, amdgpu, has 25 MB.
const maxModule = 256 << 20

// A MissingModuleError says that a kernel has a module neither as a file nor
// built in.
type MissingModuleError struct {
	// Kernel is the kernel's source and release.
	Kernel string
	// Module is the name of the module, with underscores.
	Module string
	// NeededBy is the module that depends on it; empty where it was asked for
	// by name.
	NeededBy string
}

func (e *MissingModuleError) Error() string {
	if e.NeededBy != "" {
		return fmt.Sprintf("kernel %s has no module %s, which its module %s needs: the kernel's package is incomplete",
			e.Kernel, e.Module, e.NeededBy)
	}
	return fmt.Sprintf("kernel %s has no module %s, neither built in nor as a file: choose a kernel that has it",
		e.Kernel, e.Module)
}

// LoadOrder returns the modules of img with the given names and all that they
// depend on, each once and none before its dependencies: the order in which
// finit_module(2) accepts them. Dashes and underscores in names mean the same.
// What is built into the kernel is left out. A module that img does not have is
// a *MissingModuleError.
//
// Dependencies are read from the modules themselves, as distributions leave it
// to the machine that installs a kernel to write modules.dep.
func (img Image) LoadOrder(names ...string) ([]Module, error) {
	files, err := moduleFiles(img.Modules)
	if err != nil {
		return nil, fmt.Errorf("look for the modules of kernel %s: %w", img.describe(), err)
	}
	builtin, err := builtinModules(img.Modules)
	if err != nil {
		return nil, fmt.Errorf("look for what is built into kernel %s: %w", img.describe(), err)
	}
	var order []Module
	seen := make(map[string]bool)
	var visit func(name, neededBy string) error
	visit = func(name, neededBy string) error {
		if seen[name] || builtin[name] {
			return nil
		}
		seen[name] = true
		path, ok := files[name]
		if !ok {
			return &MissingModuleError{Kernel: img.describe(), Module: name, NeededBy: neededBy}
		}
		module := Module{Name: name, Path: path}
		needs, err := module.dependencies()
		if err != nil {
			return err
		}
		for _, need := range needs {
			if err := visit(need, name); err != nil {
				return err
			}
		}
		order = append(order, module)
		return nil
	}
	for _, name := range names {
		if err := visit(canonical(name), ""); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// Read returns the module decompressed, as finit_module(2) takes it on kernels
// that cannot decompress modules themselves (before 5.17, or without
// CONFIG_MODULE_DECOMPRESS).
func (m Module) Read() ([]byte, error) {
	file, err := Open(m.Path)
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", m.Name, err)
	}
	defer file.Close()
	content, err := decompress.Reader(m.Path, file)
	if err != nil {
		return nil, fmt.Errorf("decompress module %s: %s: %w", m.Name, m.Path, err)
	}
	defer content.Close()
	ko, err := io.ReadAll(io.LimitReader(content, maxModule+1))
	if err != nil {
		return nil, fmt.Errorf("decompress module %s: %s: %w", m.Name, m.Path, err)
	}
	if len(ko) > maxModule {
		return nil, fmt.Errorf("decompress module %s: %s: more than %d bytes", m.Name, m.Path, maxModule)
	}
	return ko, nil
}

func (m Module) dependencies() ([]string, error) {
	ko, err := m.Read()
	if err != nil {
		return nil, err
	}
	names, err := dependencies(ko)
	if err != nil {
		return nil, fmt.Errorf("read what module %s depends on: %s: %w", m.Name, m.Path, err)
	}
	return names, nil
}

// describe names the image in errors.
func (img Image) describe() string {
	switch {
	case img.Source == "":
		return img.Release
	case img.Release == "":
		return img.Source
	}
	return fmt.Sprintf("%s (%s)", img.Source, img.Release)
}

// moduleFile is a path that a module is stored under; the first group is its
// name.
var moduleFile = regexp.MustCompile(`([^/]+)\.ko(?:\.xz|\.zst|\.gz)?$`)

// moduleFiles finds the module files below folder by name, without opening
// them. Where there are two of one name, the one in updates/ counts, which comes
// last in the walk, as it does for depmod(8).
func moduleFiles(folder string) (map[string]string, error) {
	if _, err := os.Stat(filepath.Join(folder, BuiltRelease)); err == nil {
		return builtFiles(folder)
	}
	files := make(map[string]string)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := moduleFile.FindStringSubmatch(entry.Name()); name != nil && entry.Type().IsRegular() {
			files[canonical(name[1])] = path
		}
		return nil
	})
	return files, err
}

// builtFiles finds the modules of a tree in which they have been built, by the list
// that the build leaves at its top: a line such as "drivers/net/veth.o" for each, or
// "kernel/drivers/net/veth.ko" before Linux 6.2. There is none where there are no
// modules.
func builtFiles(tree string) (map[string]string, error) {
	files := make(map[string]string)
	list, err := readFile(filepath.Join(tree, "modules.order"))
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(list)) {
		path := strings.TrimPrefix(strings.TrimSpace(line), "kernel/")
		path = strings.TrimSuffix(strings.TrimSuffix(path, ".o"), ".ko") + ".ko"
		if !filepath.IsLocal(path) {
			return nil, fmt.Errorf("%s: the line %q leads out of the tree", filepath.Join(tree, "modules.order"), line)
		}
		path = filepath.Join(tree, path)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			files[canonical(strings.TrimSuffix(filepath.Base(path), ".ko"))] = path
		}
	}
	return files, nil
}

// builtinModules reads modules.builtin, which holds a line such as
// "kernel/net/ipv4/tcp_cubic.ko" for each module that is part of the kernel
// (Documentation/kbuild/kbuild.rst).
func builtinModules(folder string) (map[string]bool, error) {
	list, err := readFile(filepath.Join(folder, "modules.builtin"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the kernel's package holds no modules.builtin: %w", err)
	}
	if err != nil {
		return nil, err
	}
	builtin := make(map[string]bool)
	for line := range strings.Lines(string(list)) {
		if name := moduleFile.FindStringSubmatch(strings.TrimSpace(line)); name != nil {
			builtin[canonical(name[1])] = true
		}
	}
	return builtin, nil
}

// canonical writes a module's name with underscores, as the kernel does whatever
// its file is called (scripts/Makefile.lib, name-fix).
func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }
