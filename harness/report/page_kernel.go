package report

import (
	"cmp"
	"maps"
	"slices"
)

// A kernelView is a kernel and what it ran on.
type kernelView struct {
	Source, Release, Version  string
	Clock, Accelerator        string
	QEMU, CPU, Host, Compiler string
	Scenarios                 int
	Notes                     []string
}

func (r *Record) kernelView() kernelView {
	v := kernelView{
		Source: r.Kernel.Name(), Release: r.Kernel.Release, Version: r.Kernel.Version,
		Clock: r.Clock, Accelerator: cmp.Or(r.Accelerator, "none: no guest"),
		Scenarios: len(r.Scenarios), Notes: slices.Clone(r.Kernel.Notes),
	}
	if e := r.Environment; e != nil {
		v.QEMU, v.CPU, v.Host, v.Compiler = e.QEMU, e.CPU, e.Host, e.Go
	}
	for _, source := range slices.Sorted(maps.Keys(r.Unheard)) {
		v.Notes = append(v.Notes, "not listened to: "+string(source)+": "+r.Unheard[source])
	}
	if r.Incomplete != "" {
		v.Notes = append(v.Notes, "the run is incomplete: "+r.Incomplete)
	}
	return v
}
