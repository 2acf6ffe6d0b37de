// Package observe asks the kernel what it says of itself: the counters of a
// namespace's TCP and the states of its sockets.
package observe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/finwait/finwait/harness/lab"
)

// Counters are the TCP counters of one namespace, by the names that
// /proc/net/snmp and /proc/net/netstat give them, such as "RetransSegs" and
// "TCPChallengeACK". A kernel has only those it knows; a name that is absent
// counts nothing.
type Counters map[string]int64

// ReadCounters reads the groups Tcp and TcpExt of a host. A
// segment's effect is counted while the segment is processed, so what was read
// after the last segment is complete.
func ReadCounters(host *lab.Host) (Counters, error) {
	counters := Counters{}
	err := host.Do(func() error {
		// /proc/net is /proc/self/net, the namespace of the process's first
		// thread, not this thread's.
		for _, file := range []string{"/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat"} {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := counters.parse(text); err != nil {
				return fmt.Errorf("read %s: %w", file, err)
			}
		}
		return nil
	})
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w (is /proc mounted?)", err)
		}
		return nil, fmt.Errorf("read the counters of %s: %w", host.Name, err)
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
