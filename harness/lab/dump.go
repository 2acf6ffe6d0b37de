package lab

import (
	"errors"

	"github.com/vishvananda/netlink"
)

// Dump repeats a netlink dump until no change in between has torn it
// (NLM_F_DUMP_INTR, netlink(7)).
func Dump[T any](dump func() (T, error)) (T, error) {
	for {
		if got, err := dump(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return got, err
		}
	}
}
