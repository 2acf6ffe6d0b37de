package guest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the length in bytes that a line on the stream may have.
const MaxLine = 8 << 20

// Scan reads the stream to its end. It calls line for each complete line of
// the payload's, without the line feed, and message for each message of
// init's; what line is given is overwritten once it returns. The error says
// that the stream could not be read, that a line was longer than MaxLine or
// that a message made no sense.
//
// The two share one serial port. The payload's lines are JSON texts. Init's
// messages are in the form of RFC 7464: record separator, JSON text, line
// feed. A JSON text cannot contain a record separator (RFC 8259, section 7
// demands that control characters be escaped), so wherever one stands, init
// begins to speak. A line that the payload had begun by then was cut short by
// its death and is dropped, as is one that the end of the stream cuts short.
func Scan(r io.Reader, line func([]byte), message func(Message)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), MaxLine+1)
	lines.Split(splitLine)
	for lines.Scan() {
		text := lines.Bytes()
		begin := bytes.LastIndexByte(text, recordSeparator)
		if begin < 0 {
			line(text)
			continue
		}
		m, err := decode(text[begin+1:])
		if err != nil {
			return err
		}
		message(m)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("read the guest's stream: a line is longer than %d bytes", MaxLine)
	case err != nil:
		return fmt.Errorf("read the guest's stream: %w", err)
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
