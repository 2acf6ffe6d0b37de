// Package pcapng writes one teardown as a capture file that Wireshark and tshark open
// (draft-ietf-opsawg-pcapng): both taps as interfaces of one file, to the nanosecond,
// with comments on the segments that matter. It is pure: it writes what was
// recorded, and makes no system call.
package pcapng

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

const (
	// longestFrame is the most that Wireshark reads, in octets (wiretap/wtap.h,
	// WTAP_MAX_PACKET_SIZE_STANDARD).
	longestFrame = 262144
	// longestOption is in octets: the format counts them in 16 bits (section 3.5).
	longestOption = math.MaxUint16
)

// An Origin says what a trial is of.
type Origin struct {
	// Scenario is its name.
	Scenario string
	// Kernel is the release of the kernel that it was played on.
	Kernel string
}

// Write writes the exchange of a trial. A frame is as the tap recorded it: cut short
// behind the TCP header, and as long as it was. The times count from the beginning of
// the recording, which is the beginning of 1970 in the file. A trial without an
// exchange, and a sighting that no file can hold, are errors; what has been written by
// then is of no use.
func Write(w io.Writer, from Origin, t teardown.Trial) error {
	if t.Exchange == nil {
		return errors.New("write a capture: the trial has no exchange")
	}
	for _, s := range segment.Sides {
		for _, seen := range t.Exchange.End(s).Sightings {
			if err := check(seen); err != nil {
				return fmt.Errorf("write a capture: the %v's tap saw %v: %w", s, seen.Segment, err)
			}
		}
	}
	if err := write(w, from, t); err != nil {
		return fmt.Errorf("write a capture: %w", err)
	}
	return nil
}

// check refuses what can only stand in a record that was written by hand.
func check(seen segment.Sighting) error {
	switch {
	case seen.At < 0:
		return fmt.Errorf("at %v, before the recording began", seen.At)
	case len(seen.Frame) > seen.FrameLength:
		return fmt.Errorf("%d octets of a frame of %d", len(seen.Frame), seen.FrameLength)
	case seen.FrameLength > longestFrame:
		return fmt.Errorf("in a frame of %d octets, where Wireshark reads %d", seen.FrameLength, longestFrame)
	}
	return nil
}

func write(w io.Writer, from Origin, t teardown.Trial) error {
	system := ""
	if from.Kernel != "" {
		system = option("Linux " + from.Kernel)
	}
	tap := func(s segment.Side) pcapgo.NgInterface {
		return pcapgo.NgInterface{
			Name:        s.String(),
			Description: fmt.Sprintf("the tap on the %v's end", s),
			OS:          system,
			LinkType:    layers.LinkTypeEthernet,
		}
	}
	ng, err := pcapgo.NewNgWriterInterface(w, tap(segment.Client), pcapgo.NgWriterOptions{
		SectionInfo: pcapgo.NgSectionInfo{Application: "finwait", OS: system, Comment: option(about(from, t))},
	})
	if err != nil {
		return err
	}
	if _, err := ng.AddInterface(tap(segment.Server)); err != nil {
		return err
	}
	if err := writeFrames(ng, &t); err != nil {
		return err
	}
	for _, s := range segment.Sides {
		if err := ng.WriteInterfaceStats(int(s), statistics(t.Exchange, s)); err != nil {
			return err
		}
	}
	return ng.Flush()
}

// about is what the reader of the file should know. Wireshark takes what it reads for
// what one tap saw, so of two it calls half a retransmission.
func about(from Origin, t teardown.Trial) string {
	lines := []string{
		strings.TrimPrefix(from.Scenario+": ", ": ") + string(t.Outcome),
		"Times count from the beginning of the recording.",
		"Every segment that arrived is here twice: as the sender's tap saw it, and as the receiver's did. " +
			"For an analysis that knows one of them, write the frames with frame.interface_name == \"server\" to a file of their own.",
	}
	for _, why := range t.Why {
		lines = append(lines, "because "+why)
	}
	return strings.Join(lines, "\n")
}

// writeFrames puts what both taps saw into one order, without changing either's, in
// which the times may go back a little: a frame is stamped when it is queued for a
// host, and seen when the host handles it.
func writeFrames(ng *pcapgo.NgWriter, t *teardown.Trial) error {
	comments := commentsOf(t)
	rest := [2][]segment.Sighting{t.Exchange.Client.Sightings, t.Exchange.Server.Sightings}
	for len(rest[segment.Client])+len(rest[segment.Server]) > 0 {
		tap := segment.Client
		if len(rest[tap]) == 0 || len(rest[segment.Server]) > 0 && rest[segment.Server][0].At < rest[tap][0].At {
			tap = segment.Server
		}
		seen := rest[tap][0]
		rest[tap] = rest[tap][1:]
		direction := pcapgo.NgEpbFlagDirectionInbound
		if seen.Sent {
			direction = pcapgo.NgEpbFlagDirectionOutbound
		}
		if err := ng.WritePacketWithOptions(gopacket.CaptureInfo{
			Timestamp:      moment(seen.At),
			CaptureLength:  len(seen.Frame),
			Length:         seen.FrameLength,
			InterfaceIndex: int(tap),
		}, seen.Frame, pcapgo.NgPacketOptions{
			Comments: comments.on(tap, seen),
			Flags:    &pcapgo.NgEpbFlags{Direction: direction},
		}); err != nil {
			return err
		}
	}
	return nil
}

// statistics are a tap's. A recording without a doubt is proven to have lost nothing;
// of another, how much was lost is not known.
func statistics(x *teardown.Exchange, s segment.Side) pcapgo.NgInterfaceStatistics {
	sightings := x.End(s).Sightings
	out := pcapgo.NgInterfaceStatistics{
		StartTime:       moment(0),
		PacketsReceived: uint64(len(sightings)),
		PacketsDropped:  pcapgo.NgNoValue64,
	}
	if len(x.Doubts) == 0 {
		out.PacketsDropped = 0
	}
	for _, seen := range sightings {
		if last := moment(seen.At); last.After(out.LastUpdate) {
			out.LastUpdate = last
		}
	}
	return out
}

// moment is a time since the beginning of the recording, as the file has it.
func moment(at time.Duration) time.Time { return time.Unix(0, int64(at)) }

// option is a text cut to what an option can hold.
func option(text string) string {
	if len(text) <= longestOption {
		return text
	}
	end := longestOption
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
