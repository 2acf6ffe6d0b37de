package guest_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

var errand = guest.Errand{
	Args: []string{"--record", "a b", "", "\x01"},
	Now:  time.Unix(1234567890, 987654321).UTC(),
	Seed: []byte{1, 2, 3}, Luggage: 5 << 20,
}

func TestErrand(t *testing.T) {
	g := NewWithT(t)
	disk, err := errand.Encode()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(disk).To(HaveLen(guest.DiskSize))
	g.Expect(guest.ReadErrand(bytes.NewReader(disk))).To(Equal(errand))
}

func TestBadErrand(t *testing.T) {
	whole, err := errand.Encode()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, c := range map[string]struct {
		disk []byte
		want string
	}{
		"nothing":         {nil, "EOF"},
		"another disk":    {make([]byte, 512), "the disk holds something else"},
		"a long text":     {append([]byte("finwait1"), bytes.Repeat([]byte{0x7f}, 8)...), "the disk holds something else"},
		"cut in the text": {whole[:20], "unexpected EOF"},
		"no JSON":         {append([]byte("finwait1\x00\x00\x00\x00\x00\x00\x00\x02"), "no"...), "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := guest.ReadErrand(bytes.NewReader(c.disk))
			NewWithT(t).Expect(err).To(MatchError(And(ContainSubstring("read the guest's errand"), ContainSubstring(c.want))))
		})
	}
}

func TestErrandTooLong(t *testing.T) {
	_, err := guest.Errand{Args: []string{strings.Repeat("x", guest.DiskSize)}}.Encode()
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("fewer arguments")))
}

// FuzzReadErrand checks that what was read can be written, and read again.
func FuzzReadErrand(f *testing.F) {
	disk, err := errand.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(disk[:256])
	f.Add([]byte("finwait1"))
	f.Fuzz(func(t *testing.T, disk []byte) {
		read, err := guest.ReadErrand(bytes.NewReader(disk))
		if err != nil {
			return
		}
		g := NewWithT(t)
		again, err := read.Encode()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(guest.ReadErrand(bytes.NewReader(again))).To(BeComparableTo(read))
	})
}
