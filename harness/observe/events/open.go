package events

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/segment"
)

// ringSize has room for some thirty thousand events, about a second's worth of
// trials at the rate of many side by side.
const ringSize = 4 << 20

// maxWatched is how many sockets and namespaces can be watched at a time.
const maxWatched = 1 << 14

// Open starts recording from every source that the running kernel has. What it
// lacks, or refuses to this process, is no error: see Recorder.Missing. It needs
// Linux 5.8 and CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN in the first user
// namespace, which root has.
func Open() (*Recorder, error) { return open(ringSize) }

func open(ringSize uint32) (*Recorder, error) {
	r := &Recorder{watches: map[*Watch]struct{}{}, missing: map[Source]error{}}
	if err := r.openMaps(ringSize); err != nil {
		r.Close()
		if !lacks(err) {
			return nil, fmt.Errorf("open the ring that the kernel reports events in: %w", err)
		}
		for _, s := range Sources {
			r.missing[s] = err
		}
		return r, nil
	}
	types := loadTypes()
	r.reader.decoder = segment.NewDecoder()
	for _, s := range Sources {
		h, err := r.hookTo(s, types)
		switch {
		case err == nil:
			r.hooks = append(r.hooks, h)
		case lacks(err):
			r.missing[s] = err
		default:
			r.Close()
			return nil, fmt.Errorf("record what %s reports: %w", s, err)
		}
	}
	return r, nil
}

// lacks tells what cannot be had here from what went wrong.
func lacks(err error) bool {
	var missing *kernel.MissingCapability
	return errors.As(err, &missing)
}

func (r *Recorder) openMaps(ringSize uint32) error {
	// Before 5.11 maps and programs count as locked memory, of which a process
	// may have next to none. If that cannot be changed, the first map will tell.
	_ = rlimit.RemoveMemlock()
	var err error
	if r.lost, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}); err != nil {
		return refused(err)
	}
	if r.watched, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 1, MaxEntries: maxWatched}); err != nil {
		return refused(err)
	}
	if r.ring, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: ringSize}); err != nil {
		if unsupported := features.HaveMapType(ebpf.RingBuf); errors.Is(unsupported, ebpf.ErrNotSupported) {
			return &kernel.MissingCapability{Name: "the BPF ring buffer", Err: unsupported}
		}
		return refused(err)
	}
	if r.drain, err = ringbuf.NewReader(r.ring); err != nil {
		return err
	}
	r.drain.SetDeadline(past)
	return nil
}

// refused says what it means that bpf(2) does not serve this process. EPERM is
// the answer to whoever may not use it; a program that the verifier does not
// accept gets another.
func refused(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return &kernel.MissingCapability{
			Name: "BPF (permission)",
			Err:  fmt.Errorf("bpf(2): %w: it serves root, and outside of user namespaces only", unix.EPERM),
		}
	case errors.Is(err, unix.ENOSYS):
		return &kernel.MissingCapability{Name: "BPF", Err: err}
	}
	return err
}

// A hook is a program at its place in the kernel.
type hook struct {
	source  Source
	program *ebpf.Program
	at      io.Closer
}

func (h *hook) close() {
	h.at.Close()
	h.program.Close()
}

func (r *Recorder) hookTo(s Source, types *kernelTypes) (*hook, error) {
	p := &program{kernel: types, ring: r.ring.FD(), lost: r.lost.FD(), watched: r.watched.FD()}
	if s == SockOps {
		return p.hookToCgroup()
	}
	arguments, err := types.arguments(s)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(arguments, isEnum("skb_drop_reason")) {
		r.reader.drops = types.names("skb_drop_reason", "SKB_DROP_REASON_", "SKB_")
	} else if s == KfreeSKB {
		return nil, missingTracepoint("kfree_skb with a reason",
			errors.New("it hands over none, and what TCP drops does not pass it"))
	}
	if slices.ContainsFunc(arguments, isEnum("sk_rst_reason")) {
		r.reader.resets = types.names("sk_rst_reason", "SK_RST_REASON_")
	}
	types = &kernelTypes{spec: types.spec} // what one source lacks, others may do without
	p.kernel = types
	assembled := map[Source]func([]btf.Type) asm.Instructions{
		InetSockSetState: p.inetSockSetState,
		TCPRetransmitSKB: p.tcpRetransmitSKB,
		TCPSendReset:     p.tcpSendReset,
		KfreeSKB:         p.kfreeSKB,
	}[s](arguments)
	if types.err != nil {
		return nil, types.err
	}
	loaded, err := load(ebpf.RawTracepoint, ebpf.AttachNone, assembled, asm.FnProbeReadKernel)
	if err != nil {
		return nil, err
	}
	at, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: string(s), Program: loaded})
	if err != nil {
		loaded.Close()
		if errors.Is(err, unix.ENOENT) {
			return nil, missingTracepoint(s, err)
		}
		return nil, refused(err)
	}
	return &hook{source: s, program: loaded, at: at}, nil
}

// hookToCgroup links the program by a bpf_link (Linux 5.7), which other programs
// on the same cgroup do not disturb.
func (p *program) hookToCgroup() (*hook, error) {
	noCgroup := func(err error) (*hook, error) {
		return nil, &kernel.MissingCapability{Name: "cgroup v2", Err: err}
	}
	path, err := ownCgroup()
	if errors.Is(err, errNoCgroup) || errors.Is(err, fs.ErrNotExist) {
		return noCgroup(err)
	}
	if err != nil {
		return nil, fmt.Errorf("find the cgroup of this process: %w", err)
	}
	cgroup, err := os.Open(path)
	if err != nil {
		return noCgroup(err)
	}
	defer cgroup.Close()
	loaded, err := load(ebpf.SockOps, ebpf.AttachCGroupSockOps, p.sockOps(), asm.FnGetSocketCookie)
	if err != nil {
		return nil, err
	}
	at, err := link.AttachRawLink(link.RawLinkOptions{
		Target: int(cgroup.Fd()), Program: loaded, Attach: ebpf.AttachCGroupSockOps,
	})
	if err != nil {
		loaded.Close()
		if errors.Is(err, unix.EPERM) { // kernel/bpf/cgroup.c, hierarchy_allows_attach
			err = &kernel.MissingCapability{
				Name: "a cgroup that takes a sock_ops program",
				Err:  fmt.Errorf("%w: another program there, or above, admits no second", err),
			}
		}
		return nil, fmt.Errorf("link a program to the cgroup %s: %w", path, err)
	}
	return &hook{source: SockOps, program: loaded, at: at}, nil
}

// load has the kernel verify a program. If it does not accept it, the kernel is
// asked whether it knows such programs, and the helper they need, at all.
func load(kind ebpf.ProgramType, attach ebpf.AttachType, instructions asm.Instructions, helper asm.BuiltinFunc) (*ebpf.Program, error) {
	loaded, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "finwait", Type: kind, AttachType: attach, Instructions: instructions,
		License: "Dual MIT/GPL", // the kernel gives some helpers only to those that GPL covers
	})
	if err == nil {
		return loaded, nil
	}
	if lack := features.HaveProgramType(kind); errors.Is(lack, ebpf.ErrNotSupported) {
		return nil, &kernel.MissingCapability{Name: fmt.Sprintf("BPF programs of type %v", kind), Err: lack}
	}
	if lack := features.HaveProgramHelper(kind, helper); errors.Is(lack, ebpf.ErrNotSupported) {
		return nil, &kernel.MissingCapability{Name: fmt.Sprintf("%v in BPF programs of type %v", helper, kind), Err: lack}
	}
	return nil, refused(err)
}
