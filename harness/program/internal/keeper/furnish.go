package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// furnish adds what the command's file system has of its own.
func furnish() error {
	if err := furnishProc(); err != nil {
		return err
	}
	// It shows the network namespace's interfaces. Where a container hides parts of the
	// machine's, the kernel refuses a new one, and then there is none.
	err := unix.Mount("sysfs", made+"/sys", "sysfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mount sysfs: %w", err)
	}
	return furnishDev()
}

// furnishProc mounts a /proc of the PID namespace, in which what sets parameters of
// the machine's kernel can only be read.
func furnishProc() error {
	const proc = made + "/proc"
	err := mountProc(proc)
	if errors.Is(err, fs.ErrPermission) {
		// A container hides parts of its own, so the kernel gives out no other
		// (fs/namespace.c, mount_too_revealing).
		if err := unix.Mount(machine+"/proc", proc, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind /proc: %w", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range []string{"/bus", "/fs", "/irq", "/sys", "/sysrq-trigger"} {
		if _, err := os.Lstat(proc + name); err != nil {
			continue // the kernel does without
		}
		if err := bindReadOnly(proc+name, proc+name); err != nil {
			return err
		}
	}
	return nil
}

func mountProc(at string) error {
	if err := unix.Mount("proc", at, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	return nil
}

// mountOwnProc mounts a /proc of the PID namespace over the machine's, if it may.
func mountOwnProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := mountProc("/proc"); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// makeOwn makes the folder of the command's own, with its files. That is mounted where the
// command alone sees it, and goes with this process.
func makeOwn(task Task, users users) error {
	if err := os.MkdirAll(task.Folder, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", task.Folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", task.Folder, err)
	}
	for name, content := range task.Files {
		if err := os.WriteFile(filepath.Join(task.Folder, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	if task.Nobody {
		return os.Chown(task.Folder, users.nobody(), users.nobody())
	}
	return nil
}

// procIsOwn reports whether /proc is of this PID namespace.
func procIsOwn() bool {
	self, _ := os.Readlink("/proc/self")
	return self == strconv.Itoa(os.Getpid())
}

// furnishDev makes a /dev with the devices that change nothing.
func furnishDev() error {
	const dev = made + "/dev"
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs on /dev: %w", err)
	}
	for _, name := range []string{"/null", "/zero", "/full", "/random", "/urandom", "/tty"} {
		if err := os.WriteFile(dev+name, nil, 0o666); err != nil {
			return err
		}
		err := bindReadOnly(machine+"/dev"+name, dev+name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bind /dev%s: %w", name, err)
		}
	}
	for name, to := range map[string]string{"/fd": "/proc/self/fd", "/stdin": "fd/0", "/stdout": "fd/1", "/stderr": "fd/2"} {
		if err := os.Symlink(to, dev+name); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dev+"/shm", 0o777); err != nil {
		return err
	}
	return os.Chmod(dev+"/shm", 0o777|fs.ModeSticky)
}
