package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// A host is the serial port that leads to it.
type host struct{ port *os.File }

// openHost opens the port and makes it carry bytes as they are.
func openHost(path string) (host, error) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return host{}, fmt.Errorf("open %s: %w (the kernel needs CONFIG_SERIAL_8250 with as many ports, and on arm64 CONFIG_SERIAL_8250_PCI)", path, err)
	}
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return host{}, fmt.Errorf("read the mode of %s: %w", path, err)
	}
	mode.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, mode); err != nil {
		return host{}, fmt.Errorf("set the mode of %s: %w", path, err)
	}
	return host{os.NewFile(uintptr(fd), path)}, nil
}

// send returns once the message has left the guest.
func (h host) send(m guest.Message) error {
	text, err := m.Encode()
	if err != nil {
		return err
	}
	if _, err := h.port.Write(text); err != nil {
		return err
	}
	return drain(h.port)
}

// drain returns once all that was written to a terminal has left the guest (tcdrain(3)).
func drain(terminal *os.File) error {
	return unix.IoctlSetInt(int(terminal.Fd()), unix.TCSBRK, 1)
}

func (h host) ready() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return h.fail(guest.Setup, fmt.Errorf("uname: %w", err))
	}
	return h.send(guest.Message{Ready: &guest.Ready{
		Release: unix.ByteSliceToString(name.Release[:]),
		Uptime:  uptime(),
	}})
}

func (h host) exit(status int) error {
	return h.send(guest.Message{Exit: &guest.Exit{Status: status, Uptime: uptime()}})
}

// uptime is the time since boot. Reading CLOCK_BOOTTIME cannot fail
// (clock_gettime(2)).
func uptime() time.Duration {
	var since unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &since)
	return time.Duration(since.Nano())
}

func (h host) fail(step guest.Step, cause error) error {
	return h.send(guest.Message{Fail: &guest.Fail{Step: step, Cause: cause.Error()}})
}
