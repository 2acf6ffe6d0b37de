package report

import (
	"cmp"
	"fmt"
)

// architecture is what a kernel is for. There was only one before records told.
func (k Kernel) architecture() string { return cmp.Or(k.Arch, "amd64") }

// OneArchitecture returns an error that names two records of kernels for different
// architectures, if there are: what differs between them would be the processors' doing
// as well as the kernels'.
func OneArchitecture(records []*Record) error {
	for _, r := range records {
		if first := records[0].Kernel; r.Kernel.architecture() != first.architecture() {
			return fmt.Errorf("%v is a kernel for %s, and %v for %s: only records of kernels for one architecture can be compared",
				first, first.architecture(), r.Kernel, r.Kernel.architecture())
		}
	}
	return nil
}
