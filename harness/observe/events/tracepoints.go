package events

import (
	"slices"
	"unsafe"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// inetSockSetState assembles the program for (sk, old state, new state).
func (p *program) inetSockSetState([]btf.Type) asm.Instructions {
	p.begin(InetSockSetState)
	p.setKind(StateChange)
	p.argument(sk, 0)
	p.knownSocket(done)
	p.storeArgument(unsafe.Offsetof(record{}.args), 1)
	p.storeArgument(unsafe.Offsetof(record{}.args)+4, 2)
	p.numbers()
	p.end()
	return p.finish()
}

// tcpRetransmitSKB assembles the program for (sk, skb) or (sk, skb, error).
func (p *program) tcpRetransmitSKB(arguments []btf.Type) asm.Instructions {
	p.begin(TCPRetransmitSKB)
	p.setKind(Retransmission)
	p.argument(sk, 0)
	p.knownSocket(done)
	p.argument(skb, 1)
	// The segment has no headers yet; what they will say is in its control block.
	p.readField(unsafe.Offsetof(record{}.args), skb, p.kernel.controlBlock("seq"))
	p.readField(unsafe.Offsetof(record{}.args)+4, skb, p.kernel.controlBlock("end_seq"))
	p.readField(unsafe.Offsetof(record{}.flags), skb, p.kernel.controlBlock("tcp_flags"))
	p.readField(unsafe.Offsetof(record{}.timer), sk, p.kernel.member("inet_connection_sock.icsk_pending"))
	p.storeArgument(unsafe.Offsetof(record{}.failure), slices.IndexFunc(arguments, isInt))
	p.numbers()
	p.end()
	return p.finish()
}

// tcpSendReset assembles the program for (sk, skb) or (sk, skb, reason). Either
// may be null: a RST may answer no segment, and a segment may find no socket.
func (p *program) tcpSendReset(arguments []btf.Type) asm.Instructions {
	p.headers = true
	p.begin(TCPSendReset)
	p.setKind(Reset)
	p.argument(sk, 0)
	p.argument(skb, 1)
	p.add(asm.JEq.Imm(sk, 0, "no socket"))
	p.knownSocket("no socket")
	p.numbers()
	p.add(asm.JEq.Imm(skb, 0, "report"))
	p.segmentOfLab("report", "")
	p.add(asm.Ja.Label("report"))
	p.label("no socket")
	p.add(asm.JEq.Imm(skb, 0, done))
	p.segmentOfLab(done, "unknown ")
	p.add(asm.Ja.Label("report"))
	p.label("report")
	p.storeArgument(unsafe.Offsetof(record{}.args), slices.IndexFunc(arguments, isEnum("sk_rst_reason")))
	p.end()
	return p.finish()
}

// kfreeSKB assembles the program for (skb, place, reason) or (skb, place,
// reason, receiving socket).
func (p *program) kfreeSKB(arguments []btf.Type) asm.Instructions {
	p.headers = true
	p.begin(KfreeSKB)
	p.setKind(Drop)
	p.argument(skb, 0)
	p.segmentOfLab(done, "")
	if receiver := slices.IndexFunc(arguments, isSocket); receiver != absent {
		p.argument(sk, receiver)
		p.add(asm.JEq.Imm(sk, 0, "report"))
		p.knownSocket("report")
	}
	p.add(asm.Ja.Label("report"))
	p.label("report")
	p.storeArgument(unsafe.Offsetof(record{}.args), slices.IndexFunc(arguments, isEnum("skb_drop_reason")))
	p.end()
	return p.finish()
}

// knownSocket writes the socket's cookie into the record. It jumps if the socket
// is not a lab's, or nobody watches it.
func (p *program) knownSocket(otherwise string) {
	cookie := p.kernel.member("sock_common.skc_cookie")
	p.read(sockAt, min(sockRoom, p.kernel.size("sock_common")), sk, 0)
	at := func(member string) int { return sockAt + p.kernel.member("sock_common."+member).offset }
	at6 := absent
	if p.kernel.has("sock_common", "skc_v6_daddr") {
		at6 = at("skc_v6_daddr")
	}
	p.unlessLab(asm.RFP, at("skc_daddr"), at6, otherwise, "lab's socket")
	p.add(asm.LoadMem(asm.R1, asm.RFP, int16(sockAt+cookie.offset), asm.DWord))
	p.unlessWatched(otherwise)
	p.add(asm.LoadMem(asm.R1, asm.RFP, int16(sockAt+cookie.offset), asm.DWord))
	p.store(unsafe.Offsetof(record{}.cookie), asm.R1, asm.DWord)
}

// numbers copies the socket's sequence numbers into the record, if it is not one
// of the mini-sockets, which have none.
func (p *program) numbers() {
	const timeWait, newSynRecv = 6, 12
	state := p.kernel.member("sock_common.skc_state").offset
	p.add(
		asm.LoadMem(asm.R1, asm.RFP, int16(sockAt+state), asm.Byte),
		asm.JEq.Imm(asm.R1, timeWait, "no numbers"),
		asm.JEq.Imm(asm.R1, newSynRecv, "no numbers"),
	)
	p.readField(unsafe.Offsetof(record{}.sndUna), sk, p.kernel.member("tcp_sock.snd_una"))
	p.readField(unsafe.Offsetof(record{}.sndNxt), sk, p.kernel.member("tcp_sock.snd_nxt"))
	p.readField(unsafe.Offsetof(record{}.rcvNxt), sk, p.kernel.member("tcp_sock.rcv_nxt"))
	p.label("no numbers")
}

// segmentOfLab writes a segment's headers and namespace into the record. It jumps
// if the segment is not TCP or not from a lab's address, or if the namespace is
// known and nothing is watched there. Its labels begin with
// prefix, where a program has it twice.
func (p *program) segmentOfLab(otherwise, prefix string) {
	const (
		protocol4, source4 = 9, 12 // in the header of IPv4
		protocol6, source6 = 6, 8  // of IPv6
		tcp                = 6
	)
	headers := recordAt + int(unsafe.Offsetof(record{}.headers))
	load := func(at int, size asm.Size) {
		p.add(asm.LoadMem(asm.R1, asm.RFP, int16(headers+at), size))
	}
	p.read(pointerAt, 2, skb, p.kernel.member("sk_buff.network_header").offset)
	p.add(asm.LoadMem(scratch, asm.RFP, int16(pointerAt), asm.Half))
	p.follow(asm.R1, skb, p.kernel.member("sk_buff.head").offset)
	p.add(asm.Add.Reg(scratch, asm.R1))
	p.read(headers, len(record{}.headers), scratch, 0)
	load(0, asm.Byte)
	p.add(
		asm.RSh.Imm(asm.R1, 4),
		asm.JEq.Imm(asm.R1, 6, prefix+"IPv6"),
		asm.JNE.Imm(asm.R1, 4, otherwise),
	)
	load(protocol4, asm.Byte)
	p.add(asm.JNE.Imm(asm.R1, tcp, otherwise))
	load(source4, asm.Word)
	p.add(
		asm.And.Imm32(asm.R1, mask4),
	)
	p.ifLab4(prefix + "namespace")
	p.add(asm.Ja.Label(otherwise))
	p.label(prefix + "IPv6")
	load(protocol6, asm.Byte)
	p.add(asm.JNE.Imm(asm.R1, tcp, otherwise))
	load(source6, asm.Word)
	p.add(asm.JNE.Imm32(asm.R1, lab6, otherwise))
	p.label(prefix + "namespace")
	p.namespaceOfSegment(prefix)
	known := prefix + "watched"
	p.add(
		asm.LoadMem(asm.R1, asm.RFP, int16(recordAt+int(unsafe.Offsetof(record{}.netns))), asm.Word),
		asm.JEq.Imm(asm.R1, 0, known),
	)
	p.unlessWatched(otherwise)
	p.label(known)
}

// namespaceOfSegment finds the namespace by the device that the segment is at,
// or, as TCP takes that from it (net/ipv4/tcp_ipv4.c, tcp_v4_rcv), by its route's.
func (p *program) namespaceOfSegment(prefix string) {
	const notCounted = 1 // SKB_DST_NOREF, in the pointer's lowest bit
	p.follow(scratch, skb, p.kernel.member("sk_buff.dev").offset)
	p.add(asm.JNE.Imm(scratch, 0, prefix+"device"))
	p.follow(scratch, skb, p.kernel.member("sk_buff._skb_refdst").offset)
	p.add(asm.And.Imm(scratch, ^notCounted))
	p.follow(scratch, scratch, p.kernel.member("dst_entry.dev").offset)
	p.label(prefix + "device")
	p.follow(scratch, scratch, p.kernel.member("net_device.nd_net.net").offset)
	p.readField(unsafe.Offsetof(record{}.netns), scratch, p.kernel.member("net.ns.inum"))
}
