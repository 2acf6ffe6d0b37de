package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// fetch reads the errand from the disk, and puts its program in place.
func fetch() (guest.Errand, error) {
	defer keepAwake()()
	disk, err := os.Open(guest.DiskPath)
	if err != nil {
		return guest.Errand{}, fmt.Errorf("open the disk: %w", err)
	}
	defer disk.Close()
	return guest.ReadErrand(disk, func(p guest.Payload) (io.WriteCloser, error) {
		if err := os.MkdirAll(filepath.Dir(p.Path), 0o755); err != nil {
			return nil, err
		}
		return os.OpenFile(p.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	})
}

// renew makes a guest that was kept, and resumed from the same state as others,
// one of its own: the wall clock is set, and what the kernel draws random numbers
// from (random(4)). The clocks that start with the boot go on.
func renew(e guest.Errand) error {
	now := unix.NsecToTimespec(e.Now.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	random, err := os.OpenFile("/dev/random", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer random.Close()
	// struct rand_pool_info: the entropy in bits, the length in octets, and those.
	pool := binary.NativeEndian.AppendUint32(nil, uint32(8*len(e.Seed)))
	pool = binary.NativeEndian.AppendUint32(pool, uint32(len(e.Seed)))
	pool = append(pool, e.Seed...)
	for _, do := range []struct {
		request uintptr
		about   unsafe.Pointer
	}{{unix.RNDADDENTROPY, unsafe.Pointer(&pool[0])}, {unix.RNDRESEEDCRNG, nil}} {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, random.Fd(), do.request, uintptr(do.about)); errno != 0 {
			return fmt.Errorf("seed the random number generator: %w", errno)
		}
	}
	return nil
}
