package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// fetch reads the errand from the disk, and not from what the page cache may have of
// it from before the machine was stopped.
func fetch() (guest.Errand, error) {
	defer keepAwake()()
	disk, err := os.OpenFile(guest.DiskPath, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return guest.Errand{}, fmt.Errorf("open the disk: %w", err)
	}
	defer disk.Close()
	// As O_DIRECT wants it, memory of that size begins with a page (open(2)).
	content := make([]byte, guest.DiskSize)
	if _, err := io.ReadFull(disk, content); err != nil {
		return guest.Errand{}, fmt.Errorf("read the disk: %w", err)
	}
	return guest.ReadErrand(bytes.NewReader(content))
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
