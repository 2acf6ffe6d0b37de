package events

import "github.com/cilium/ebpf"

// Programs are the numbers of the programs that the recorder has loaded.
func (r *Recorder) Programs() (ids []ebpf.ProgramID) {
	for _, h := range r.hooks {
		info, err := h.program.Info()
		if err != nil {
			panic(err)
		}
		id, _ := info.ID()
		ids = append(ids, id)
	}
	return ids
}

// OpenWithRing is Open with a ring of that many octets, a power of two and whole
// pages.
func OpenWithRing(size int) (*Recorder, error) { return open(uint32(size)) }
