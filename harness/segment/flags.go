package segment

// Flags are the control bits of a TCP header (RFC 9293 section 3.1; RFC 9768
// for AE). Compare them with Has: a kernel may set ECN bits of its own accord.
type Flags uint16

// The control bits, where they stand in the header's 13th and 14th octets.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
	AE
)

// letters are packetdrill's, in the order in which it writes them
// (gtests/net/packetdrill, tcp_packet.c and packet_to_string.c). An ACK is a
// dot.
var letters = []struct {
	flag   Flags
	letter byte
}{
	{FIN, 'F'},
	{SYN, 'S'},
	{RST, 'R'},
	{PSH, 'P'},
	{ACK, '.'},
	{URG, 'U'},
	{ECE, 'E'},
	{CWR, 'W'},
	{AE, 'A'},
}

// Has reports whether all bits of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// String writes the flags as packetdrill does: "F." is FIN and ACK. No flag at
// all is "-".
func (f Flags) String() string {
	if f == 0 {
		return "-"
	}
	out := make([]byte, 0, len(letters))
	for _, l := range letters {
		if f.Has(l.flag) {
			out = append(out, l.letter)
		}
	}
	return string(out)
}
