package guest_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

var errand = guest.Errand{
	Payload: guest.Payload{Path: "/bin/suite", Args: []string{"--record", "a b", ""}, Env: []string{"A=\"\x01"}},
	Now:     time.Unix(1234567890, 987654321).UTC(),
	Seed:    []byte{1, 2, 3},
}

const program = "\x7fELF, all of it"

func TestErrand(t *testing.T) {
	g := NewWithT(t)
	var where guest.Payload
	read, unpacked, err := readErrand(append(written(t, errand, program), make([]byte, 4096)...), &where)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unpacked).To(Equal(program))
	g.Expect(where).To(Equal(errand.Payload))
	g.Expect(read.Size).To(BeEquivalentTo(len(program)))
	read.Size, read.CRC = 0, 0
	g.Expect(read).To(Equal(errand))
}

func TestErrandWithNothingToRun(t *testing.T) {
	g := NewWithT(t)
	idle := guest.Errand{Now: errand.Now, Seed: errand.Seed}
	read, unpacked, err := readErrand(written(t, idle, ""), nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unpacked).To(BeEmpty())
	g.Expect(read).To(Equal(idle))
}

func TestBadErrand(t *testing.T) {
	whole := written(t, errand, program)
	for name, c := range map[string]struct {
		disk []byte
		want string
	}{
		"nothing":           {nil, "EOF"},
		"another disk":      {make([]byte, 512), "the disk holds something else"},
		"a long text":       {append([]byte("finwait1"), bytes.Repeat([]byte{0x7f}, 8)...), "the disk holds something else"},
		"cut in the text":   {whole[:20], "unexpected EOF"},
		"cut in the middle": {whole[:len(whole)-1], "EOF"},
		"damaged":           {append(bytes.Clone(whole[:len(whole)-1]), 'x'), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readErrand(c.disk, nil)
			NewWithT(t).Expect(err).To(MatchError(And(ContainSubstring("read the guest's errand"), ContainSubstring(c.want))))
		})
	}
}

func TestErrandTooLong(t *testing.T) {
	long := errand
	long.Payload.Args = []string{strings.Repeat("x", 2<<20)}
	err := guest.WriteErrand(io.Discard, long, strings.NewReader(program))
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("fewer arguments")))
}

// FuzzReadErrand checks that a program that is not as long as was said, or not the
// one that was written, is never taken for it.
func FuzzReadErrand(f *testing.F) {
	f.Add(written(f, errand, program))
	f.Add([]byte("finwait1"))
	f.Fuzz(func(t *testing.T, disk []byte) {
		read, unpacked, err := readErrand(disk, nil)
		if err == nil && read.Payload.Path != "" && int64(len(unpacked)) != read.Size {
			t.Errorf("%d octets were unpacked, of %d", len(unpacked), read.Size)
		}
	})
}

func written(tb testing.TB, e guest.Errand, program string) []byte {
	tb.Helper()
	var disk bytes.Buffer
	if err := guest.WriteErrand(&disk, e, strings.NewReader(program)); err != nil {
		tb.Fatal(err)
	}
	return disk.Bytes()
}

func readErrand(disk []byte, where *guest.Payload) (e guest.Errand, unpacked string, err error) {
	var file closable
	e, err = guest.ReadErrand(bytes.NewReader(disk), func(p guest.Payload) (io.WriteCloser, error) {
		if where != nil {
			*where = p
		}
		return &file, nil
	})
	return e, file.String(), err
}

type closable struct{ bytes.Buffer }

func (*closable) Close() error { return nil }
