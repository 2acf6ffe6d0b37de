package segment

import (
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Segment{
		"R 4416:4416(0)":                  {Flags: RST, Seq: 4416},
		"- 0:0(0)":                        {},
		"F. 1:11(10) ack 753":             {Flags: FIN | ACK, Seq: 1, Length: 10, Ack: 753},
		". 4417:4417(0) ack 754 win 501":  {Flags: ACK, Seq: 4417, Ack: 754, Window: 501},
		" RP  5:5(0) win 65535 ":          {Flags: RST | PSH, Seq: 5, Window: 65535},
		"SEW 4294967295:9(10)":            {Flags: SYN | ECE | CWR, Seq: 1<<32 - 1, Length: 10},
		".F 1:1(0) ack 4294967295 win 00": {Flags: FIN | ACK, Seq: 1, Ack: 1<<32 - 1},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q is read as %+v (%v), want %+v", text, got, err, want)
		}
	}
}

func TestParseShowsWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "want flags",
		"R":                             "want flags, and a range",
		"RX 1:1(0)":                     `'X' among the flags "RX" should be one of FSRP.UEWA, once`,
		"FF 1:1(0)":                     `'F' among the flags "FF"`,
		"R 1:1":                         `"1:1" should be a range`,
		"R 1:1(0":                       `"1:1(0" should be a range`,
		"R -1:1(2)":                     `"-1:1(2)" should be a range`,
		"R 4294967296:4294967296(0)":    "should be a range",
		"R 1:2(0)":                      "by its length it should end at 1",
		"R 0:70000(70000)":              "at most 65455 octets",
		"F. 1:1(0)":                     `it ends "" where "ack" and a number should follow`,
		"F. 1:1(0) ack":                 `"ack" and a number should follow`,
		"F. 1:1(0) ack one":             `"one" behind "ack" should be a number`,
		"R 1:1(0) ack 5":                `"ack 5" should be the end`,
		"R 1:1(0) win 65536":            `"65536" behind "win" should be a number of at most 16 bits`,
		". 1:1(0) ack 1 win 5 <mss 10>": `"<mss 10>" should be the end`,
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strconv.Quote(text)) {
			t.Errorf("%q: %v, want it to say %q", text, err, want)
		}
	}
}

// What is read is written, and what is written is read, as the same.
func FuzzParseSegment(f *testing.F) {
	f.Add("F. 4416:4416(0) ack 753")
	f.Add("- 4294967295:9(10) win 501")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.String() + " win " + strconv.Itoa(int(s.Window)))
		if err != nil || again != s {
			t.Errorf("%q is written as %q, which is read as %+v (%v)", text, s, again, err)
		}
	})
}
