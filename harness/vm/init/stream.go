package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// A stream is the serial port that leads to the host.
type stream struct{ port *os.File }

// openStream opens the port and makes it carry bytes as they are, for init and
// for the payload.
func openStream() (stream, error) {
	fd, err := unix.Open(guest.StreamPath, unix.O_WRONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return stream{}, fmt.Errorf("open %s: %w (the kernel needs CONFIG_SERIAL_8250 with two ports)", guest.StreamPath, err)
	}
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return stream{}, fmt.Errorf("read the mode of %s: %w", guest.StreamPath, err)
	}
	mode.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, mode); err != nil {
		return stream{}, fmt.Errorf("set the mode of %s: %w", guest.StreamPath, err)
	}
	return stream{os.NewFile(uintptr(fd), guest.StreamPath)}, nil
}

// send returns once the message has left the guest.
func (s stream) send(m guest.Message) error {
	text, err := m.Encode()
	if err != nil {
		return err
	}
	if _, err := s.port.Write(text); err != nil {
		return err
	}
	// What tcdrain(3) does.
	return unix.IoctlSetInt(int(s.port.Fd()), unix.TCSBRK, 1)
}

func (s stream) ready() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return s.fail(guest.Setup, fmt.Errorf("uname: %w", err))
	}
	var uptime unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &uptime); err != nil {
		return s.fail(guest.Setup, fmt.Errorf("read the time since boot: %w", err))
	}
	return s.send(guest.Message{Ready: &guest.Ready{
		Release: unix.ByteSliceToString(name.Release[:]),
		Uptime:  time.Duration(uptime.Nano()),
	}})
}

func (s stream) fail(step guest.Step, cause error) error {
	return s.send(guest.Message{Fail: &guest.Fail{Step: step, Cause: cause.Error()}})
}
