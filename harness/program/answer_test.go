package program

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// answer is struct inet_diag_msg of a listener on [::]:80 that takes IPv6 alone.
func answer() []byte {
	octets := make([]byte, sizeOfAnswer)
	octets[0], octets[1], octets[5] = unix.AF_INET6, unix.BPF_TCP_LISTEN, 80
	octets = binary.NativeEndian.AppendUint16(octets, 5)
	octets = binary.NativeEndian.AppendUint16(octets, 11) // INET_DIAG_SKV6ONLY
	return append(octets, 1, 0, 0, 0)
}

func TestReadListener(t *testing.T) {
	l, err := readListener(answer())
	if err != nil || l.String() != "[::]:80 (IPv6 only)" {
		t.Errorf("read %v (%v)", l, err)
	}
	if l, err := readListener(answer()[:sizeOfAnswer-1]); err == nil {
		t.Errorf("read %v of too few octets", l)
	}
}

func FuzzReadListener(f *testing.F) {
	f.Add(answer())
	f.Add(answer()[:sizeOfAnswer])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, octets []byte) {
		if l, err := readListener(octets); err == nil && !l.IsValid() {
			t.Errorf("read %v", l)
		}
	})
}
