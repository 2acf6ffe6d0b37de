package vm

import (
	"crypto/rand"
	"os"
	"time"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// newDisk writes the guest's errand, with the size of its luggage in octets, to a temporary
// file without a name.
func newDisk(args []string, luggage int64) (*os.File, error) {
	errand := guest.Errand{Args: args, Now: time.Now(), Seed: make([]byte, 64), Luggage: luggage}
	_, _ = rand.Read(errand.Seed) // it never fails
	content, err := errand.Encode()
	if err != nil {
		return nil, err
	}
	disk, err := temporaryFile("disk")
	if err != nil {
		return nil, err
	}
	if _, err := disk.Write(content); err != nil {
		disk.Close()
		return nil, temporaryError("the guest's disk", err)
	}
	return disk, nil
}
