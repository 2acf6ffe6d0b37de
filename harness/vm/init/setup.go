package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

func mountAll() error {
	for _, m := range []struct{ kind, at, option string }{
		{"devtmpfs", "/dev", "CONFIG_DEVTMPFS"},
		{"tmpfs", "/dev/shm", "CONFIG_TMPFS"},
		{"proc", "/proc", "CONFIG_PROC_FS"},
		{"sysfs", "/sys", "CONFIG_SYSFS"},
		{"tmpfs", "/tmp", "CONFIG_TMPFS"},
		{"tmpfs", "/run", "CONFIG_TMPFS"},
		{"cgroup2", "/sys/fs/cgroup", "CONFIG_CGROUPS"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w (the kernel needs %s)", m.kind, m.at, err, m.option)
		}
	}
	return nil
}

// loadAll loads modules in their order.
func loadAll(modules []guest.Module) error {
	for _, m := range modules {
		if err := load(m); err != nil {
			return err
		}
	}
	return nil
}

// load loads a module and frees the memory that its file takes. A module that
// the kernel has already is as good as loaded.
func load(m guest.Module) error {
	file, err := os.Open(m.Path)
	if err != nil {
		return fmt.Errorf("module %s: %w", m.Name, err)
	}
	defer file.Close()
	if err := unix.FinitModule(int(file.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("module %s: finit_module: %w", m.Name, err)
	}
	return os.Remove(m.Path)
}
