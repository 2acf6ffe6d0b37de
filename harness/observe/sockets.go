package observe

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Sockets counts the TCP sockets that the host's kernel knows by their
// addresses, of both families: listening ones, connections, orphans, and the
// mini-sockets of TIME_WAIT and FIN_WAIT2. Those of handshakes that are not done
// are not counted; they go with their listener.
func (o *Observer) Sockets() (int, error) {
	total := 0
	for _, file := range []*os.File{o.sockstat, o.sockstat6} {
		if file == nil {
			continue
		}
		text, err := o.text(file)
		if err == nil {
			var n int
			n, err = countSockets(string(text))
			total += n
		}
		if err != nil {
			return 0, fmt.Errorf("count the sockets of %s: %s: %w", o.host.Name, file.Name(), err)
		}
	}
	return total, nil
}

// countSockets reads "TCP: inuse 3 orphan 0 tw 1 alloc 9 mem 2", or "TCP6: inuse
// 3" (net/ipv4/proc.c, sockstat_seq_show; net/ipv6/proc.c,
// sockstat6_seq_show). inuse and tw are the namespace's, orphans included, and
// tw holds both families' mini-sockets; what else there is is the machine's.
func countSockets(text string) (int, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "TCP:" && fields[0] != "TCP6:" {
			continue
		}
		total := 0
		for i := 1; i+1 < len(fields); i += 2 {
			if fields[i] != "inuse" && fields[i] != "tw" {
				continue
			}
			n, err := strconv.Atoi(fields[i+1])
			if err != nil {
				return 0, fmt.Errorf("%s of %s %w", fields[i], fields[0], err)
			}
			total += n
		}
		return total, nil
	}
	return 0, fmt.Errorf("no line of TCP in %q", text)
}
