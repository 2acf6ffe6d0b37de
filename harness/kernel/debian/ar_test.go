package debian

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func readAr(archive []byte) (members []arMember, err error) {
	ar, err := newArReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	for {
		name, r, err := ar.next()
		if errors.Is(err, io.EOF) {
			return members, nil
		}
		if err != nil {
			return members, err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return members, err
		}
		members = append(members, arMember{name, string(content)})
	}
}

func TestAr(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	archive := makeAr(arMember{"debian-binary", "2.0\n"}, arMember{"odd/", "abc"}, arMember{"empty", ""}, arMember{"last", "x"})
	want := []arMember{{"debian-binary", "2.0\n"}, {"odd", "abc"}, {"empty", ""}, {"last", "x"}}
	g.Expect(readAr(archive)).To(Equal(want))
	g.Expect(readAr(archive[:len(archive)-1])).To(Equal(want), "without the padding at the end")

	for name, bad := range map[string][]byte{
		"the magic number":            []byte("!<arch"),
		"not an ar archive":           []byte("!<thin>\nxxxx"),
		"ends inside a member":        archive[:len(archiveStart(archive))+30],
		"ends 2 bytes before":         makeAr(arMember{"data", "abcd"})[:8+60+2],
		`header ends in "xx"`:         bytes.Replace(archive, []byte("`\n"), []byte("xx"), 1),
		`has the size "-1"`:           bytes.Replace(archive, []byte("4         `"), []byte("-1        `"), 1),
		`member "debian-binary" has `: bytes.Replace(archive, []byte("4         `"), []byte("          `"), 1),
	} {
		_, err := readAr(bad)
		g.Expect(err).To(MatchError(ContainSubstring(name)), name)
	}
}

func archiveStart(archive []byte) []byte { return archive[:len(arMagic)] }

func TestArSkipsWhatIsNotRead(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	ar, err := newArReader(bytes.NewReader(makeAr(arMember{"big", strings.Repeat("x", 100_001)}, arMember{"next", "abc"})))
	g.Expect(err).NotTo(HaveOccurred())
	_, _, err = ar.next()
	g.Expect(err).NotTo(HaveOccurred())
	name, content, err := ar.next()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(name).To(Equal("next"))
	g.Expect(io.ReadAll(content)).To(Equal([]byte("abc")))
}

// No archive yields more than it holds.
func FuzzAr(f *testing.F) {
	f.Add(makeAr(arMember{"debian-binary", "2.0\n"}, arMember{"odd/", "abc"}))
	f.Add([]byte(arMagic))
	f.Add([]byte(arMagic + strings.Repeat("9", 58) + "`\n"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		members, _ := readAr(archive)
		size := 0
		for _, m := range members {
			size += arHeaderSize + len(m.content)
		}
		if size > len(archive) {
			t.Errorf("%d bytes of members in %d bytes", size, len(archive))
		}
	})
}
