package events

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/finwait/finwait/harness/kernel"
)

// kernelTypes tells where the running kernel keeps what the programs read. It
// is the kernel's own description of itself (BTF), so nothing is derived from a
// version. The first question that it has no answer to stays in err.
type kernelTypes struct {
	spec *btf.Spec
	err  error
}

func loadTypes() *kernelTypes {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return &kernelTypes{err: &kernel.MissingCapability{Name: "BTF", Err: err}}
	}
	return &kernelTypes{spec: spec}
}

// size is a structure's.
func (k *kernelTypes) size(structure string) int {
	var s *btf.Struct
	if k.err != nil {
		return 0
	}
	if err := k.spec.TypeByName(structure, &s); err != nil {
		k.lack(fmt.Errorf("struct %s: %w", structure, err))
		return 0
	}
	return int(s.Size)
}

// A place is where a member lies in a structure, in octets.
type place struct{ offset, size int }

// member finds a member of a structure, such as "sk_buff.cb". Members of members
// follow behind further dots; anonymous ones in between are left out, as C does.
func (k *kernelTypes) member(path string) place {
	if k.err != nil {
		return place{}
	}
	names := strings.Split(path, ".")
	var structure *btf.Struct
	if err := k.spec.TypeByName(names[0], &structure); err != nil {
		k.lack(fmt.Errorf("struct %s: %w", names[0], err))
		return place{}
	}
	var at place
	var within btf.Type = structure
	for _, name := range names[1:] {
		offset, inner, found := lookUp(within, name)
		if !found {
			k.lack(fmt.Errorf("no member %s", path))
			return place{}
		}
		at.offset += offset
		within = inner
	}
	var err error
	if at.size, err = btf.Sizeof(within); err != nil {
		k.lack(fmt.Errorf("member %s: %w", path, err))
	}
	return at
}

// controlBlock finds a member of the control block that TCP keeps in a segment
// (include/net/tcp.h, TCP_SKB_CB).
func (k *kernelTypes) controlBlock(name string) place {
	at := k.member("tcp_skb_cb." + name)
	at.offset += k.member("sk_buff.cb").offset
	return at
}

// has reports whether a structure has a member that some configurations do
// without.
func (k *kernelTypes) has(structure, name string) bool {
	var s *btf.Struct
	if k.err != nil || k.spec.TypeByName(structure, &s) != nil {
		return false
	}
	_, _, found := lookUp(s, name)
	return found
}

func (k *kernelTypes) lack(err error) {
	k.err = &kernel.MissingCapability{Name: "BTF", Err: err}
}

// lookUp finds a member by name, also inside members without one.
func lookUp(within btf.Type, name string) (offset int, inner btf.Type, found bool) {
	var members []btf.Member
	switch t := btf.UnderlyingType(within).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name {
			return int(m.Offset.Bytes()), m.Type, true
		}
		if m.Name != "" {
			continue
		}
		if offset, inner, found = lookUp(m.Type, name); found {
			return int(m.Offset.Bytes()) + offset, inner, true
		}
	}
	return 0, nil, false
}

// errNoTracepoint says that the kernel's tracepoints do not have one by that
// name.
var errNoTracepoint = errors.New("BTF describes no such tracepoint")

// arguments are the types of what a tracepoint hands to a program
// (include/trace/bpf_probe.h, __DEFINE_EVENT). They have no names, and there are
// more of them from one kernel to the next.
func (k *kernelTypes) arguments(s Source) ([]btf.Type, error) {
	if k.err != nil {
		return nil, k.err
	}
	var hook *btf.Typedef
	if err := k.spec.TypeByName("btf_trace_"+string(s), &hook); err != nil {
		if errors.Is(err, btf.ErrNotFound) {
			err = errNoTracepoint
		}
		return nil, missingTracepoint(s, err)
	}
	pointer, ok := hook.Type.(*btf.Pointer)
	if !ok {
		return nil, fmt.Errorf("BTF describes tracepoint %s as %v, want a pointer", s, hook.Type)
	}
	prototype, ok := pointer.Target.(*btf.FuncProto)
	if !ok || len(prototype.Params) == 0 {
		return nil, fmt.Errorf("BTF describes tracepoint %s as %v, want a function with parameters", s, pointer.Target)
	}
	var types []btf.Type
	for _, p := range prototype.Params[1:] { // the first is the hook's own
		types = append(types, btf.UnderlyingType(p.Type))
	}
	return types, nil
}

func missingTracepoint(s Source, err error) error {
	return &kernel.MissingCapability{Name: "tracepoint " + string(s), Err: err}
}

// absent is the index of what a kernel does not have: slices.IndexFunc says so.
const absent = -1

func isInt(t btf.Type) bool {
	_, ok := t.(*btf.Int)
	return ok
}

func isEnum(name string) func(btf.Type) bool {
	return func(t btf.Type) bool {
		e, ok := t.(*btf.Enum)
		return ok && e.Name == name
	}
}

func isSocket(t btf.Type) bool {
	p, ok := t.(*btf.Pointer)
	if !ok {
		return false
	}
	s, ok := btf.UnderlyingType(p.Target).(*btf.Struct)
	return ok && s.Name == "sock"
}

// names are an enum's constants by their values, without the prefix.
func (k *kernelTypes) names(enum string, prefixes ...string) map[uint32]string {
	named := map[uint32]string{}
	var e *btf.Enum
	if k.spec.TypeByName(enum, &e) != nil {
		return named // the numbers will have to do
	}
	for _, v := range e.Values {
		name := v.Name
		for _, prefix := range prefixes {
			if rest, found := strings.CutPrefix(name, prefix); found {
				name = rest
				break
			}
		}
		named[uint32(v.Value)] = name
	}
	return named
}
