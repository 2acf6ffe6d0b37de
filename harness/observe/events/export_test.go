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

// Spent is how long a run of each program took, in nanoseconds, while the kernel
// kept such statistics.
func (r *Recorder) Spent() map[Source]float64 {
	spent := map[Source]float64{}
	for _, h := range r.hooks {
		stats, err := h.program.Stats()
		if err != nil {
			panic(err)
		}
		if stats.RunCount > 0 {
			spent[h.source] = float64(stats.Runtime) / float64(stats.RunCount)
		}
	}
	return spent
}

// OpenWithRing is Open with a ring of that many octets, a power of two and whole
// pages.
func OpenWithRing(size int) (*Recorder, error) { return open(uint32(size)) }
