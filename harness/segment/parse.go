package segment

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Parse reads a segment in the notation that String writes, with packetdrill's
// window behind it if need be: "F. 4416:4416(0) ack 753 win 501". Without one the
// window is 0. Its error shows where the text goes wrong.
func Parse(text string) (Segment, error) {
	var s Segment
	if err := s.parse(strings.Fields(text)); err != nil {
		return Segment{}, fmt.Errorf("segment %q: %w", text, err)
	}
	return s, nil
}

func (s *Segment) parse(words []string) (err error) {
	if len(words) < 2 {
		return errors.New("want flags, and a range such as 4416:4416(0)")
	}
	if s.Flags, err = parseFlags(words[0]); err != nil {
		return err
	}
	if err := s.parseRange(words[1]); err != nil {
		return err
	}
	rest := words[2:]
	if s.Flags.Has(ACK) {
		ack, err := numbered("ack", &rest, 32)
		if err != nil {
			return err
		}
		s.Ack = uint32(ack)
	}
	if len(rest) > 0 && rest[0] == "win" {
		window, err := numbered("win", &rest, 16)
		if err != nil {
			return err
		}
		s.Window = uint16(window)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%q should be the end, or a window", strings.Join(rest, " "))
	}
	return nil
}

// parseFlags reads what Flags.String writes, in any order.
func parseFlags(text string) (f Flags, err error) {
	if text == "-" {
		return 0, nil
	}
next:
	for _, r := range text {
		for _, l := range letters {
			if r == rune(l.letter) && !f.Has(l.flag) {
				f |= l.flag
				continue next
			}
		}
		return 0, fmt.Errorf("%q among the flags %q should be one of %v, once, with - for none", r, text, everyFlag)
	}
	return f, nil
}

const everyFlag = FIN | SYN | RST | PSH | ACK | URG | ECE | CWR | AE

// parseRange reads first:end(length).
func (s *Segment) parseRange(text string) error {
	first, rest, _ := strings.Cut(text, ":")
	end, rest, _ := strings.Cut(rest, "(")
	length, closed := strings.CutSuffix(rest, ")")
	var numbers [3]uint64
	for i, number := range []string{first, end, length} {
		var err error
		if numbers[i], err = strconv.ParseUint(number, 10, 32); err != nil || !closed {
			return fmt.Errorf("%q should be a range such as 4416:4416(0)", text)
		}
	}
	s.Seq, s.Length = uint32(numbers[0]), int(numbers[2])
	if s.Length > largestPayload {
		return fmt.Errorf("the range %s: it can have at most %d octets", text, largestPayload)
	}
	if want := s.Seq + uint32(s.Length); want != uint32(numbers[1]) {
		return fmt.Errorf("the range %s: by its length it should end at %d", text, want)
	}
	return nil
}

// numbered takes a word and the number behind it off the rest.
func numbered(word string, rest *[]string, bits int) (uint64, error) {
	if len(*rest) < 2 || (*rest)[0] != word {
		return 0, fmt.Errorf("it ends %q where %q and a number should follow", strings.Join(*rest, " "), word)
	}
	number, err := strconv.ParseUint((*rest)[1], 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%q behind %q should be a number of at most %d bits", (*rest)[1], word, bits)
	}
	*rest = (*rest)[2:]
	return number, nil
}
