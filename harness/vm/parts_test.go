package vm

import (
	"io/fs"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

// What cannot be put together is an error, and no more.
func TestPartsThatAreMissing(t *testing.T) {
	g := NewWithT(t)
	m := Machine{Kernel: kernel.Image{Arch: kernel.AMD64}}
	_, err := m.prepare("qemu", Payload{Init: "/no/such/init"}, nil)
	g.Expect(err).To(MatchError(fs.ErrNotExist))
}
