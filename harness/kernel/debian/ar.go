package debian

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	arMagic      = "!<arch>\n"
	arHeaderSize = 60
)

// An arReader reads the archive format of .deb files, deb(5) and ar(5), member
// by member.
type arReader struct {
	r *bufio.Reader
	// member is what has not been read of the current member.
	member io.LimitedReader
	// padded says that a byte follows the current member to make its length
	// even.
	padded bool
}

// newArReader reads the magic number that every archive starts with.
func newArReader(r io.Reader) (*arReader, error) {
	ar := &arReader{r: bufio.NewReader(r)}
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(ar.r, magic); err != nil {
		return nil, fmt.Errorf("read the magic number: %w", err)
	}
	if string(magic) != arMagic {
		return nil, fmt.Errorf("not an ar archive: it starts with %q", magic)
	}
	return ar, nil
}

// next goes on to the next member and returns its name and its content, which is
// valid until next is called again. At the end of the archive the error is
// io.EOF.
func (ar *arReader) next() (name string, content io.Reader, err error) {
	if _, err := io.Copy(io.Discard, &ar.member); err != nil {
		return "", nil, err
	}
	if ar.member.N > 0 {
		return "", nil, fmt.Errorf("the archive ends %d bytes before its member does", ar.member.N)
	}
	if ar.padded {
		// Some writers leave the padding of the last member out.
		if _, err := ar.r.Discard(1); err != nil {
			return "", nil, err
		}
	}
	var header [arHeaderSize]byte
	if _, err := io.ReadFull(ar.r, header[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the archive ends inside a member's header")
		}
		return "", nil, err
	}
	if string(header[58:]) != "`\n" {
		return "", nil, fmt.Errorf("a member's header ends in %q", header[58:])
	}
	// GNU ar ends names with a slash, dpkg-deb does not.
	name = strings.TrimSuffix(strings.TrimRight(string(header[:16]), " "), "/")
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", nil, fmt.Errorf("a member has the name %q", name)
	}
	digits := strings.TrimRight(string(header[48:58]), " ")
	size, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return "", nil, fmt.Errorf("member %q has the size %q", name, digits)
	}
	ar.member = io.LimitedReader{R: ar.r, N: int64(size)}
	ar.padded = size%2 == 1
	return name, &ar.member, nil
}
