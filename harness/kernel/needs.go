package kernel

import (
	"fmt"
	"strings"
)

// A Need is something of a kernel that is there or not as it was configured.
type Need struct {
	// Option is its name in the configuration, such as "CONFIG_VETH".
	Option string
	// Module is its name where it can be a module, such as "veth".
	Module string
}

// A LackError says which of what is needed a kernel does not have.
type LackError struct {
	// Kernel is the kernel's source and release.
	Kernel string
	// Lacks are options that were not set.
	Lacks []string
	// Absent are options that were set to m, and no file of theirs is there.
	Absent []string
	// Modules is the folder in which there is none; empty where no folder is known.
	Modules string
}

func (e *LackError) Error() string {
	var parts []string
	if len(e.Lacks) > 0 {
		parts = append(parts, fmt.Sprintf("lacks %s, which the suite needs: set them to y or m, or take another kernel", strings.Join(e.Lacks, ", ")))
	}
	switch absent := strings.Join(e.Absent, ", "); {
	case absent == "":
	case e.Modules == "":
		parts = append(parts, fmt.Sprintf("has %s as modules, which the suite needs, and no modules are named: name their folder, image:VMLINUZ,modules=DIR, or set them to y", absent))
	default:
		parts = append(parts, fmt.Sprintf("has %s as modules, which the suite needs, and they are not in %s: have that folder hold all modules of the kernel (make modules where it is being built)", absent, e.Modules))
	}
	return fmt.Sprintf("kernel %s %s", e.Kernel, strings.Join(parts, "; it "))
}

// Check returns a *LackError that names all that img lacks of some needs. Nothing is
// derived from a version: it goes by the kernel's configuration, if that is at hand,
// and by its modules and the list of those that are built in. What neither tells of
// shows when the kernel runs.
func (img Image) Check(needs ...Need) error {
	has, err := img.inventory()
	if err != nil {
		return err
	}
	lack := &LackError{Kernel: img.describe(), Modules: img.Modules}
	for _, need := range needs {
		switch has.state(need) {
		case absent:
			lack.Absent = append(lack.Absent, need.Option)
		case lacking:
			lack.Lacks = append(lack.Lacks, need.Option)
		}
	}
	if len(lack.Lacks)+len(lack.Absent) == 0 {
		return nil
	}
	return lack
}

// ModulesOf returns the names of the modules that img has of some needs: of those
// that are not built in, and not lacking.
func (img Image) ModulesOf(needs ...Need) ([]string, error) {
	has, err := img.inventory()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, need := range needs {
		if need.Module != "" && has.state(need) == loadable {
			names = append(names, need.Module)
		}
	}
	return names, nil
}

// An inventory is what can be known of a kernel without running it.
type inventory struct {
	options map[string]byte   // y or m; nil where the configuration is not at hand
	files   map[string]string // nil where there is no folder
	builtin map[string]bool   // nil where there is no list
}

func (img Image) inventory() (has inventory, err error) {
	has.options = img.Options
	if img.Modules == "" {
		return has, nil
	}
	if has.files, err = moduleFiles(img.Modules); err != nil {
		return has, fmt.Errorf("look for the modules of kernel %s: %w", img.describe(), err)
	}
	if has.builtin, err = builtinModules(img.Modules); err != nil {
		return has, fmt.Errorf("look for what is built into kernel %s: %w", img.describe(), err)
	}
	return has, nil
}

type state int

const (
	unknown  state = iota
	builtin        // into the kernel
	loadable       // its file is there
	absent         // it is a module, and its file is not there
	lacking
)

func (has inventory) state(need Need) state {
	set := has.options[need.Option]
	_, file := has.files[need.Module]
	switch {
	case has.builtin[need.Module], set == 'y':
		return builtin
	case need.Module != "" && file:
		return loadable
	case set == 'm':
		return absent
	case has.options != nil, need.Module != "" && has.builtin != nil:
		return lacking
	}
	return unknown
}

// ReadConfig reads a kernel's configuration, its .config: the options that are y or m.
func ReadConfig(path string) (map[string]byte, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a kernel's configuration: %w", err)
	}
	return ParseConfig(string(text)), nil
}

// ParseConfig reads the text of a configuration likewise.
func ParseConfig(text string) map[string]byte {
	options := make(map[string]byte)
	for line := range strings.Lines(text) {
		option, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && strings.HasPrefix(option, "CONFIG_") && (value == "y" || value == "m") {
			options[option] = value[0]
		}
	}
	return options
}
