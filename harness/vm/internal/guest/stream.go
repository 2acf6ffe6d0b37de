package guest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the length in bytes that a line from the guest may have.
const MaxLine = 8 << 20

// Scan reads the payload's lines to the end of their stream, and calls line for
// each without its line feed; what line is given is overwritten once it returns.
// A line that the end cuts short is dropped: who wrote it died. The error says
// that the stream could not be read or that a line was longer than MaxLine.
func Scan(r io.Reader, line func([]byte)) error {
	return scan(r, func(text []byte) error {
		line(text)
		return nil
	})
}

// ScanMessages reads init's messages likewise. The error also says that one made
// no sense.
func ScanMessages(r io.Reader, message func(Message)) error {
	return scan(r, func(text []byte) error {
		m, err := decode(text)
		if err == nil {
			message(m)
		}
		return err
	})
}

func scan(r io.Reader, do func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), MaxLine+1)
	lines.Split(splitLine)
	for lines.Scan() {
		if err := do(lines.Bytes()); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("read what the guest reports: a line is longer than %d bytes", MaxLine)
	case err != nil:
		return fmt.Errorf("read what the guest reports: %w", err)
	}
	return nil
}

// splitLine is a bufio.SplitFunc that knows complete lines only.
func splitLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	end := bytes.IndexByte(data, '\n')
	if end < 0 {
		return 0, nil, nil
	}
	return end + 1, data[:end], nil
}
