package observe

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Counters are the TCP counters of one namespace, by the names that
// /proc/net/snmp and /proc/net/netstat give them, such as "RetransSegs" and
// "TCPChallengeACK". A kernel has only those it knows; a name that is absent
// counts nothing.
type Counters map[string]int64

// Counters reads the groups Tcp and TcpExt. A segment's effect is counted while
// the segment is processed, so what was read after the last segment is complete.
func (o *Observer) Counters() (Counters, error) {
	counters := Counters{}
	for _, file := range []*os.File{o.snmp, o.netstat} {
		text, err := o.text(file)
		if err == nil {
			err = counters.parse(text)
		}
		if err != nil {
			return nil, fmt.Errorf("read the counters of %s: %s: %w", o.host.Name, file.Name(), err)
		}
	}
	return counters, nil
}

// Moved returns the counters that changed since earlier, and by how much.
func (c Counters) Moved(earlier Counters) Counters {
	moved := Counters{}
	for name, value := range c {
		if by := value - earlier[name]; by != 0 {
			moved[name] = by
		}
	}
	return moved
}

// parse reads pairs of lines, names above values, each beginning with its
// group's name and a colon (net/ipv4/proc.c, snmp_seq_show and
// netstat_seq_show). Columns come and go with kernel versions, so a value is
// found by its name.
func (c Counters) parse(text []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		names := strings.Fields(lines.Text())
		if !lines.Scan() {
			return fmt.Errorf("the line of names %.20q has no line of values", strings.Join(names, " "))
		}
		values := strings.Fields(lines.Text())
		if len(names) == 0 || len(names) != len(values) || names[0] != values[0] {
			return fmt.Errorf("%d names stand above %d values", len(names), len(values))
		}
		if names[0] != "Tcp:" && names[0] != "TcpExt:" {
			continue
		}
		for i := 1; i < len(names); i++ {
			value, err := strconv.ParseInt(values[i], 10, 64)
			if err != nil {
				return fmt.Errorf("counter %s: %w", names[i], err)
			}
			c[names[i]] = value
		}
	}
	return lines.Err()
}
