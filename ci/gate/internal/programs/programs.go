// Package programs provides what runs on a kernel: a suite of specs, and the init of the
// guest.
package programs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/finwait/finwait/harness/kernel"
)

// A Suite is a package of specs, by its folder in the module.
type Suite string

// Specs are those that say what a kernel must do.
const Specs Suite = "specs"

// Servers are those that say how servers end their connections.
const Servers Suite = "specs/servers"

// suites are those that a release carries.
var suites = []Suite{Specs, Servers}

// A Set is what runs on a kernel of one architecture.
type Set struct {
	// Suite is the suite's test binary, and Init the init of a guest. Both are static.
	Suite, Init string

	suite  Suite
	folder string
	held   *folder // what of the folder's keeps others from it; nil of one in another set's

	mu     sync.Mutex
	others map[kernel.Arch]*Set // those for other architectures, built when they are needed
}

// Build provides a suite and the init for this machine's architecture: those that a
// release carries, or else built from the source that the gate itself comes from. They
// have to be removed.
func Build(ctx context.Context, s Suite) (*Set, error) {
	folder, err := newFolder()
	if err != nil {
		return nil, err
	}
	p := setIn(folder.path, s)
	p.held = folder
	if err := p.provide(ctx, runtime.GOARCH); err != nil {
		p.Remove()
		return nil, err
	}
	return p, nil
}

// For gives the programs for an architecture; for this machine's, where none is named.
// They go when the set is removed.
func (p *Set) For(ctx context.Context, arch kernel.Arch) (*Set, error) {
	if arch == "" || arch == kernel.Native() {
		return p, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other, ok := p.others[arch]; ok {
		return other, nil
	}
	other := setIn(filepath.Join(p.folder, string(arch)), p.suite)
	if err := os.Mkdir(other.folder, 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for the suite: %w", err)
	}
	if err := other.provide(ctx, string(arch)); err != nil {
		return nil, err
	}
	p.others[arch] = other
	return other, nil
}

// Remove removes the programs, those for other architectures too.
func (p *Set) Remove() { p.held.remove() }

func setIn(folder string, s Suite) *Set {
	return &Set{
		Suite: filepath.Join(folder, s.program().name), Init: filepath.Join(folder, guestInit.name),
		suite: s, folder: folder, others: map[kernel.Arch]*Set{},
	}
}

// provide unpacks the programs for an architecture, or compiles them.
func (p *Set) provide(ctx context.Context, arch string) error {
	for _, program := range []program{p.suite.program(), guestInit} {
		var err error
		if packed != nil {
			err = program.unpack(packed, arch, p.folder)
		} else {
			err = program.compile(ctx, arch, p.folder)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
