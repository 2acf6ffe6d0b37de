package events

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"
)

// sockOps assembles the program that TCP calls at events of a socket, if it was
// asked to for that socket. It asks as a connection is established, and lets
// the answers of other programs stand (include/uapi/linux/bpf.h, struct
// bpf_sock_ops).
func (p *program) sockOps() asm.Instructions {
	const (
		// Members of struct bpf_sock_ops, which is the same on every kernel.
		op, args, remote4, remote6, callbacks = 0, 4, 24, 32, 84
		rcvNxt, sndNxt, sndUna                = 100, 104, 108

		activeEstablished, passiveEstablished = 4, 5
		rto, retransmitted, stateChanged      = 8, 9, 10
		// BPF_SOCK_OPS_RTO_CB_FLAG, RETRANS and STATE.
		wanted = 1<<0 | 1<<1 | 1<<2
	)
	p.begin(SockOps)
	p.unlessLab(context, remote4, remote6, done, "lab")
	p.add(
		asm.LoadMem(asm.R1, context, op, asm.Word),
		asm.JEq.Imm(asm.R1, stateChanged, "state"),
		asm.JEq.Imm(asm.R1, retransmitted, "retransmission"),
		asm.JEq.Imm(asm.R1, rto, "timeout"),
		asm.JEq.Imm(asm.R1, activeEstablished, "established"),
		asm.JNE.Imm(asm.R1, passiveEstablished, done),

		asm.LoadMem(asm.R2, context, callbacks, asm.Word).WithSymbol("established"),
		asm.Or.Imm(asm.R2, wanted),
		asm.Mov.Reg(asm.R1, context),
		asm.FnSockOpsCbFlagsSet.Call(),
		asm.Ja.Label(done),
	)
	keep := func(field uintptr, at int16) {
		p.add(asm.LoadMem(asm.R1, context, at, asm.Word))
		p.store(field, asm.R1, asm.Word)
	}

	p.label("state")
	p.setKind(StateChange)
	keep(unsafe.Offsetof(record{}.args), args)
	keep(unsafe.Offsetof(record{}.args)+4, args+4)
	p.add(asm.Ja.Label("numbers"))

	p.label("retransmission")
	p.setKind(Retransmission)
	keep(unsafe.Offsetof(record{}.args), args) // args+4 is how many segments
	keep(unsafe.Offsetof(record{}.failure), args+8)
	p.add(asm.Ja.Label("numbers"))

	p.label("timeout")
	p.setKind(Timeout)

	p.label("numbers")
	keep(unsafe.Offsetof(record{}.sndUna), sndUna)
	keep(unsafe.Offsetof(record{}.sndNxt), sndNxt)
	keep(unsafe.Offsetof(record{}.rcvNxt), rcvNxt)
	p.add(asm.Mov.Reg(asm.R1, context), asm.FnGetSocketCookie.Call())
	p.store(unsafe.Offsetof(record{}.cookie), asm.R0, asm.DWord)
	p.add(asm.Mov.Reg(asm.R1, asm.R0))
	p.unlessWatched(done)
	p.end()
	return p.finish()
}
