package events

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf/asm"
)

// A program is written instruction by instruction, so that no compiler is needed
// where it is built and none of its numbers is fixed before it runs. R6 holds
// the context, R7 a socket, R8 a segment, R9 is for passing by; R1 to R5 do not
// survive a call (Documentation/bpf/standardization/instruction-set.rst).
//
// Its stack has, from the top, the record that it is filling, eight octets to
// read a pointer into, and a copy of the socket's struct sock_common.
type program struct {
	asm.Instructions
	kernel  *kernelTypes
	ring    int // the descriptors of its maps
	lost    int
	watched int
	headers bool   // among what is written
	next    string // the name of the next instruction
}

const (
	context, sk, skb, scratch = asm.R6, asm.R7, asm.R8, asm.R9

	recordAt  = -recordSize
	pointerAt = recordAt - 8
	sockAt    = pointerAt - sockRoom
	// sockRoom is for struct sock_common, which has 136 octets.
	sockRoom = 192
)

// done is the label where every program ends.
const done = "done"

func (p *program) add(instructions ...asm.Instruction) {
	if p.next != "" {
		instructions[0] = instructions[0].WithSymbol(p.next)
		p.next = ""
	}
	p.Instructions = append(p.Instructions, instructions...)
}

// label names the instruction that is added next.
func (p *program) label(name string) { p.next = name }

// begin keeps the context and clears the record.
func (p *program) begin(s Source) {
	p.add(asm.Mov.Reg(context, asm.R1))
	p.add(asm.Mov.Imm(asm.R0, 0))
	for at := recordAt; at < 0; at += 8 {
		p.add(asm.StoreMem(asm.RFP, int16(at), asm.R0, asm.DWord))
	}
	p.set(unsafe.Offsetof(record{}.source), uint32(slices.Index(Sources, s)))
}

// argument loads one of a raw tracepoint's arguments.
func (p *program) argument(to asm.Register, index int) {
	p.add(asm.LoadMem(to, context, int16(8*index), asm.DWord))
}

// set writes a number of 32 bits into the record.
func (p *program) set(field uintptr, value uint32) {
	p.add(asm.StoreImm(asm.RFP, int16(recordAt+int(field)), int64(int32(value)), asm.Word))
}

func (p *program) setKind(k Kind) {
	p.set(unsafe.Offsetof(record{}.kind), uint32(slices.Index(kinds, k)))
}

// store writes a register into the record.
func (p *program) store(field uintptr, from asm.Register, size asm.Size) {
	p.add(asm.StoreMem(asm.RFP, int16(recordAt+int(field)), from, size))
}

// storeArgument writes a raw tracepoint's argument of 32 bits into the record,
// or leaves the 0 that is there if it is absent.
func (p *program) storeArgument(field uintptr, index int) {
	if index == absent {
		return
	}
	p.argument(asm.R1, index)
	p.store(field, asm.R1, asm.Word)
}

// read copies kernel memory to the stack. What cannot be read is zeros.
func (p *program) read(to, size int, from asm.Register, offset int) {
	p.add(
		asm.Mov.Reg(asm.R3, from),
		asm.Add.Imm(asm.R3, int32(offset)),
		asm.Mov.Imm(asm.R2, int32(size)),
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, int32(to)),
		asm.FnProbeReadKernel.Call(),
	)
}

// readField copies a member into the record.
func (p *program) readField(field uintptr, from asm.Register, member place) {
	p.read(recordAt+int(field), member.size, from, member.offset)
}

// follow puts what a pointer in a structure points to into a register.
func (p *program) follow(to, from asm.Register, offset int) {
	p.read(pointerAt, 8, from, offset)
	p.add(asm.LoadMem(to, asm.RFP, int16(pointerAt), asm.DWord))
}

// The addresses of every lab are set aside for documentation (RFC 5737, RFC
// 3849): nobody else's sockets have them. As they lie in memory:
var (
	labs4 = []int32{memory(192, 0, 2, 0), memory(198, 51, 100, 0), memory(203, 0, 113, 0)}
	mask4 = memory(255, 255, 255, 0)
	lab6  = memory(0x20, 0x01, 0x0d, 0xb8)
)

func memory(octets ...byte) int32 { return int32(binary.NativeEndian.Uint32(octets)) }

// unlessLab jumps to elsewhere if neither of a socket's two addresses of its
// peer, at at4 and at6 from base, is a lab's; the second is absent from kernels
// without IPv6. An IPv4 socket has only the first, a mapped address both.
func (p *program) unlessLab(base asm.Register, at4, at6 int, elsewhere, ours string) {
	p.add(
		asm.LoadMem(asm.R1, base, int16(at4), asm.Word),
		asm.And.Imm32(asm.R1, mask4),
	)
	p.ifLab4(ours)
	if at6 != absent {
		p.add(
			asm.LoadMem(asm.R1, base, int16(at6), asm.Word),
			asm.JEq.Imm32(asm.R1, lab6, ours),
		)
	}
	p.add(asm.Ja.Label(elsewhere))
	p.label(ours)
}

// ifLab4 jumps if the network in R1 is one of the labs'.
func (p *program) ifLab4(there string) {
	for _, lab4 := range labs4 {
		p.add(asm.JEq.Imm32(asm.R1, lab4, there))
	}
}

// unlessWatched jumps if nobody in this process watches what the key in R1 stands
// for: other labs of the machine are none of its business.
func (p *program) unlessWatched(elsewhere string) {
	p.add(
		asm.StoreMem(asm.RFP, int16(pointerAt), asm.R1, asm.DWord),
		asm.LoadMapPtr(asm.R1, p.watched),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, int32(pointerAt)),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, elsewhere),
	)
}

// end stamps the record and hands it over. If the ring is full it counts that.
// Nobody is woken: who wants the records comes for them.
func (p *program) end() {
	const noWakeUp = 1 // BPF_RB_NO_WAKEUP
	size := bareSize
	if p.headers {
		size = recordSize
	}
	p.add(asm.FnKtimeGetNs.Call())
	p.store(unsafe.Offsetof(record{}.at), asm.R0, asm.DWord)
	p.add(
		asm.LoadMapPtr(asm.R1, p.ring),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, int32(recordAt)),
		asm.Mov.Imm(asm.R3, int32(size)),
		asm.Mov.Imm(asm.R4, noWakeUp),
		asm.FnRingbufOutput.Call(),
		asm.JEq.Imm(asm.R0, 0, done),
		asm.LoadMapValue(asm.R1, p.lost, 0),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
	)
}

// finish ends the program: 1 lets things go on where a program could stop them,
// and means nothing elsewhere.
func (p *program) finish() asm.Instructions {
	p.add(asm.Mov.Imm(asm.R0, 1).WithSymbol(done), asm.Return())
	return p.Instructions
}
