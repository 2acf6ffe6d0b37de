package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// awaitDevices waits for what the drivers find in their own time, and gives the
// stream its name. The port's own has the number of its device in it.
func awaitDevices() error {
	for _, disk := range []string{guest.DiskPath, guest.LuggagePath} {
		if _, err := awaitDevice(disk); err != nil {
			return fmt.Errorf("%w (the kernel needs CONFIG_VIRTIO_PCI and CONFIG_VIRTIO_BLK, and their modules if they are m)", err)
		}
	}
	port, err := awaitDevice("/dev/vport*p1")
	if err != nil {
		return fmt.Errorf("%w (the kernel needs CONFIG_VIRTIO_CONSOLE, and its module if it is m)", err)
	}
	return os.Symlink(port, guest.StreamPath)
}

// deviceTime is how much of the guest's time a device may take to appear once its
// driver is loaded.
const deviceTime = 10 * time.Second

// awaitDevice waits for a file in /dev, given by its path or a pattern for it, and
// returns its path.
func awaitDevice(pattern string) (path string, err error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("wait for %s: %w", pattern, err) }
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fail(err)
	}
	made := os.NewFile(uintptr(watch), "inotify")
	defer made.Close()
	if _, err := unix.InotifyAddWatch(watch, filepath.Dir(pattern), unix.IN_CREATE); err != nil {
		return fail(err)
	}
	if err := made.SetReadDeadline(time.Now().Add(deviceTime)); err != nil {
		return fail(err)
	}
	// It may have been there before the watch, so that is looked at first.
	for {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return fail(err)
		}
		if len(found) > 0 {
			return found[0], nil
		}
		if _, err := made.Read(make([]byte, 4096)); err != nil {
			return fail(err)
		}
	}
}
