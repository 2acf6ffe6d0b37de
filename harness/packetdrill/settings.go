package packetdrill

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/finwait/finwait/harness/segment"
)

// toleranceMicros is by how much a line may come early or late: less than the shortest
// of the kernel's waits that a line can stand for, the 40 ms of a delayed ACK
// (TCP_DELACK_MIN), and more than a busy machine is late as a rule.
const toleranceMicros = 30000

// A sysctl's name and value become part of a command. Every one of these is of a
// namespace (net/ipv4/sysctl_net_ipv4.c) or, as tcp_mem, not to be seen in another than
// the first.
var (
	sysctlName  = regexp.MustCompile(`^net\.ipv4\.tcp_[a-z0-9_]{1,40}$`)
	sysctlValue = regexp.MustCompile(`^-?[0-9]{1,20}([ \t]-?[0-9]{1,20}){0,7}$`)
)

// rmem is the sysctl whose last number is the most that a socket may keep of what it
// receives, in octets. The others are the kernel's own.
const rmem = "net.ipv4.tcp_rmem"

// untilUsable waits until the address that packetdrill has just set can be bound to: the
// kernel makes it so in a worker, which packetdrill, a real-time process, can be in the
// way of (net/ipv6/addrconf.c, addrconf_dad_work).
const untilUsable = `while [ -n "$(ip -6 addr show dev tun0 tentative)" ]; do sleep .1; done`

// settings come before a script's events.
type settings struct {
	options []string
	sysctls map[string]string
	ipv6    bool
}

// settingsOf are those that the end under test had.
func settingsOf(s *script) (settings, error) {
	setup := s.end.Setup
	if setup.RTOMin != 0 || setup.QuickACK {
		return settings{}, fmt.Errorf("the %v's route had metrics of its own (rto_min or quickack), and the routes are packetdrill's", s.side)
	}
	set := settings{
		options: []string{fmt.Sprintf("--tolerance_usecs=%d", toleranceMicros)},
		sysctls: map[string]string{},
	}
	family, err := s.family()
	if err != nil {
		return settings{}, err
	}
	if family != "" {
		set.options = append(set.options, fmt.Sprintf("--ip_version=%q", family))
		set.ipv6 = family == "ipv6"
	}
	for name, value := range setup.Sysctls {
		if !sysctlName.MatchString(name) || !sysctlValue.MatchString(value) {
			return settings{}, fmt.Errorf("the %v had %s=%s: a script sets net.ipv4.tcp_ sysctls, to numbers, and nothing else",
				s.side, plain(name), plain(value))
		}
		set.sysctls[name] = value
	}
	if _, ok := set.sysctls[rmem]; !ok && s.window() > 0 {
		set.sysctls[rmem] = fmt.Sprintf("4096 131072 %d", s.window())
	}
	return set, nil
}

// family is the version of IP as packetdrill calls it; empty for IPv4, its own choice.
func (s *script) family() (string, error) {
	var addr netip.Addr
	if len(s.end.Sightings) > 0 {
		addr = s.end.Sightings[0].Src.Addr()
	}
	switch domain := s.end.Setup.Domain; {
	case domain == "AF_INET" && addr.Is4():
		return "", nil
	case domain == "AF_INET6" && addr.Is4():
		return "ipv4-mapped-ipv6", nil
	case domain == "AF_INET6" && addr.Is6():
		return "ipv6", nil
	default:
		return "", fmt.Errorf("the %v's socket is %s, and its first segment from %v", s.side, plain(domain), addr)
	}
}

// window is the largest that the end's window scale was picked for, in octets; 0 where
// it has none. A kernel picks the scale by what its memory allows, so a script has to
// allow it as much, by tcp_rmem, and no more, by TCP_WINDOW_CLAMP (net/ipv4/tcp_output.c,
// tcp_select_initial_window).
func (s *script) window() int {
	for _, seen := range s.end.Sightings {
		if seen.Sent && seen.Flags.Has(segment.SYN) && seen.Options.HasWindowScale {
			return 1 << (15 + min(seen.Options.WindowScale, 14))
		}
	}
	return 0
}

// String is the beginning of a script.
func (s settings) String() string {
	var out strings.Builder
	for _, o := range s.options {
		out.WriteString(o + "\n")
	}
	var commands []string
	if len(s.sysctls) > 0 {
		commands = append(commands, "sysctl -q"+assignments(s.sysctls))
	}
	if s.ipv6 {
		commands = append(commands, untilUsable)
	}
	if len(commands) > 0 {
		fmt.Fprintf(&out, "\n`%s`\n", strings.Join(commands, "; "))
	}
	return out.String()
}

// assignments are sysctls as sysctl(8) takes them.
func assignments(sysctls map[string]string) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sysctls)) {
		value := strings.ReplaceAll(sysctls[name], "\t", " ")
		if strings.Contains(value, " ") {
			value = `"` + value + `"`
		}
		fmt.Fprintf(&out, " %s=%s", name, value)
	}
	return out.String()
}
