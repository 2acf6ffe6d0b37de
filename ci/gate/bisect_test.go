package main

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/kernel/debian"
)

// A mirror that is down says nothing of the kernels that it has.
func TestWhatKeepsAKernelFromBeingHad(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"no mirror has it any more": fmt.Errorf("%w:\n\thttp://mirror: 404", debian.ErrGone),
		"it cannot be had: debian/1.0.1-1: the running kernel lacks veth: not in its configuration": fmt.Errorf(
			"debian/1.0.1-1: %w\nand more", &kernel.MissingCapability{Name: "veth", Err: errors.New("not in its configuration")}),
		"": errors.New("no route to host"),
	} {
		NewWithT(t).Expect(whyNotHad(err)).To(Equal(want))
	}
	NewWithT(t).Expect(whyNotHad(nil)).To(BeEmpty())
}
