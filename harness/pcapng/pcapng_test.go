package pcapng

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// overtaken is the end of a connection whose client's FIN is overtaken, and whose
// server's FIN is lost.
func overtaken(t testing.TB) teardown.Trial {
	t.Helper()
	client, server := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:80")
	x := &teardown.Exchange{GaveUp: true}
	x.Client.Call, x.Client.CalledAt = "close()", time.Second
	x.Server.Call, x.Server.CalledAt = "close()", time.Second
	see := func(end *teardown.End, at time.Duration, sent bool, s segment.Segment) {
		frame, err := s.Encode([]byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 2})
		if err != nil {
			t.Fatal(err)
		}
		length := len(frame)
		end.Sightings = append(end.Sightings, segment.Sighting{At: at, Sent: sent, Segment: s, Frame: frame[:min(length, 90)], FrameLength: length})
	}
	pass := func(from, to *teardown.End, left, arrived time.Duration, s segment.Segment) {
		see(from, left, true, s)
		see(to, arrived, false, s)
	}
	c, s := &x.Client, &x.Server
	fin := segment.Segment{Src: client, Dst: server, Seq: 200, Ack: 200, Flags: segment.FIN | segment.ACK}
	ack := segment.Segment{Src: client, Dst: server, Seq: 201, Ack: 201, Flags: segment.ACK}
	pass(c, s, 1, 2, segment.Segment{Src: client, Dst: server, Seq: 99, Flags: segment.SYN})
	pass(s, c, 3, 4, segment.Segment{Src: server, Dst: client, Seq: 199, Ack: 100, Flags: segment.SYN | segment.ACK})
	pass(c, s, 5, 6, segment.Segment{Src: client, Dst: server, Seq: 100, Ack: 200, Flags: segment.ACK, Length: 100})
	see(c, time.Second+1, true, fin)
	see(s, time.Second+2, true, segment.Segment{Src: server, Dst: client, Seq: 200, Ack: 200, Flags: segment.FIN | segment.ACK})
	pass(c, s, time.Second+3, time.Second+4, ack)
	see(s, time.Second+1005, false, fin)
	return teardown.Judge(x)
}

// A packet is what a reader finds of one frame.
type packet struct {
	tap      int
	at       int64
	captured int
	length   int
	sent     bool
	comments string
}

func read(t testing.TB, file []byte) (*pcapgo.NgReader, []packet) {
	t.Helper()
	ng, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var packets []packet
	for {
		data, info, options, err := ng.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			return ng, packets
		}
		if err != nil {
			t.Fatalf("after %d packets: %v", len(packets), err)
		}
		packets = append(packets, packet{
			info.InterfaceIndex, info.Timestamp.UnixNano(), len(data), info.Length,
			options.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound, strings.Join(options.Comments, "; "),
		})
	}
}

func TestWrite(t *testing.T) {
	var file bytes.Buffer
	if err := Write(&file, Origin{Scenario: "overtaken-fin/made-up", Kernel: "1.2.3"}, overtaken(t)); err != nil {
		t.Fatal(err)
	}
	ng, packets := read(t, file.Bytes())
	const client, server = 0, 1
	want := []packet{
		{client, 1, 60, 60, true, ""},
		{server, 2, 60, 60, false, ""},
		{server, 3, 60, 60, true, ""},
		{client, 4, 60, 60, false, ""},
		{client, 5, 90, 154, true, ""},
		{server, 6, 90, 154, false, ""},
		{client, 1e9 + 1, 60, 60, true, ""},
		{server, 1e9 + 2, 60, 60, true, "the client's tap did not see it"},
		{client, 1e9 + 3, 60, 60, true, ""},
		{server, 1e9 + 4, 60, 60, false, "overtakes the FIN"},
		{server, 1e9 + 1005, 60, 60, false, "overtaken by the ACK of the FIN"},
	}
	if !reflect.DeepEqual(packets, want) {
		t.Errorf("it has\n%v\nwant\n%v", packets, want)
	}
	info := ng.SectionInfo()
	if info.Application != "finwait" || info.OS != "Linux 1.2.3" || !strings.HasPrefix(info.Comment, "overtaken-fin/made-up: inconclusive\n") {
		t.Errorf("the section says %+v", info)
	}
	for tap, seen := range []uint64{5, 6} {
		face, err := ng.Interface(tap)
		if err != nil {
			t.Fatal(err)
		}
		if name := segment.Sides[tap].String(); face.Name != name || face.LinkType != layers.LinkTypeEthernet || face.TimestampResolution != 9 {
			t.Errorf("the interface of the %s is %+v", name, face)
		}
		if s := face.Statistics; s.PacketsReceived != seen || s.PacketsDropped != 0 {
			t.Errorf("the statistics of %s are %+v, want %d received and none dropped", face.Name, s, seen)
		}
	}
}

// Of a recording that is in doubt, nobody knows what it lacks.
func TestNoFigureForWhatIsInDoubt(t *testing.T) {
	trial := overtaken(t)
	trial.Exchange.Doubts = []string{"the tap on veth0 of client lost 3 frames"}
	var file bytes.Buffer
	if err := Write(&file, Origin{}, teardown.Judge(trial.Exchange)); err != nil {
		t.Fatal(err)
	}
	ng, _ := read(t, file.Bytes())
	face, err := ng.Interface(0)
	if err != nil {
		t.Fatal(err)
	}
	if n := face.Statistics.PacketsDropped; n != pcapgo.NgNoValue64 {
		t.Errorf("it says that %d were dropped", n)
	}
	if said := ng.SectionInfo().Comment; !strings.Contains(said, "lost 3 frames") {
		t.Errorf("the section says %q", said)
	}
}

// Every tap has its own order: a frame is stamped when it is queued for a host, and
// seen when the host handles it.
func TestATapKeepsItsOrder(t *testing.T) {
	trial := overtaken(t)
	seen := trial.Exchange.Client.Sightings
	seen[0].At, seen[1].At = seen[1].At, seen[0].At
	var file bytes.Buffer
	if err := Write(&file, Origin{}, trial); err != nil {
		t.Fatal(err)
	}
	_, packets := read(t, file.Bytes())
	var sent []bool
	for _, p := range packets {
		if p.tap == 0 {
			sent = append(sent, p.sent)
		}
	}
	if !sent[0] || sent[1] {
		t.Errorf("the client's tap saw first what it saw second")
	}
}

func TestWhatNoFileCanHold(t *testing.T) {
	if err := Write(io.Discard, Origin{}, teardown.Trial{}); err == nil || !strings.Contains(err.Error(), "no exchange") {
		t.Errorf("a trial without an exchange: %v", err)
	}
	for want, edit := range map[string]func(*segment.Sighting){
		"before the recording began":    func(s *segment.Sighting) { s.At = -1 },
		"60 octets of a frame of 53":    func(s *segment.Sighting) { s.FrameLength = 53 },
		"octets of a frame of -1":       func(s *segment.Sighting) { s.FrameLength = -1 },
		"where Wireshark reads 262144":  func(s *segment.Sighting) { s.FrameLength = 1 << 40 },
		"in a frame of 262145 octets, ": func(s *segment.Sighting) { s.Frame, s.FrameLength = make([]byte, 262145), 262145 },
	} {
		trial := overtaken(t)
		edit(&trial.Exchange.Server.Sightings[0])
		err := Write(io.Discard, Origin{}, trial)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the server's tap saw S 99:99(0)") {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

// A text longer than an option would take the rest of the file with it.
func TestATextIsCutToWhatAnOptionHolds(t *testing.T) {
	trial := overtaken(t)
	trial.Why = []string{strings.Repeat("é", longestOption)}
	var file bytes.Buffer
	if err := Write(&file, Origin{Kernel: strings.Repeat("é", longestOption)}, trial); err != nil {
		t.Fatal(err)
	}
	ng, packets := read(t, file.Bytes())
	if got := ng.SectionInfo().Comment; len(got) < longestOption-1 || !strings.HasSuffix(got, "é") || len(packets) != 11 {
		t.Errorf("%d packets, behind a comment of %d octets that ends in %q", len(packets), len(got), got[len(got)-4:])
	}
}

// A writer that fails is reported, wherever it fails.
func TestAFileThatCannotBeWritten(t *testing.T) {
	if err := Write(full{}, Origin{}, overtaken(t)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("the error is %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// A record is input from outside: of whatever can be read as one, either a file is
// written that can be read to its end, or none is.
func FuzzWrite(f *testing.F) {
	trial, err := json.Marshal(overtaken(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(trial)
	f.Add([]byte(`{"exchange": {}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var trial teardown.Trial
		if json.Unmarshal(text, &trial) != nil || trial.Exchange == nil {
			return
		}
		var file bytes.Buffer
		if Write(&file, Origin{}, trial) != nil {
			return
		}
		x := trial.Exchange
		if _, packets := read(t, file.Bytes()); len(packets) != len(x.Client.Sightings)+len(x.Server.Sightings) {
			t.Errorf("of %d and %d sightings, %d can be read", len(x.Client.Sightings), len(x.Server.Sightings), len(packets))
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	trial := overtaken(b)
	for b.Loop() {
		if err := Write(io.Discard, Origin{}, trial); err != nil {
			b.Fatal(err)
		}
	}
}
