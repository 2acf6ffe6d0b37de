package luggage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// A packer puts a luggage together.
type packer struct {
	view     view
	entries  map[string]entry
	arch     string // of the programs, once there is one
	loader   loader
	programs map[string]bool // that have been looked into, by path
	folders  map[string]bool // all of which has been brought, by path
}

func newPacker(from view) *packer {
	p := &packer{view: from, entries: map[string]entry{}, programs: map[string]bool{}, folders: map[string]bool{}}
	p.loader = loader{packer: p, known: map[string]*object{}, seen: map[string]bool{}, provided: map[string]bool{}}
	return p
}

// bring brings what a path leads to, with all that it needs. What shared libraries of a
// folder's need comes later.
func (p *packer) bring(name string) error {
	to, err := p.reach(name)
	switch {
	case err != nil:
		return err
	case to.info.IsDir():
		return p.folder(to)
	}
	return p.program(to)
}

// bringProgram is bring for what has to be a program.
func (p *packer) bringProgram(name string) error {
	to, err := p.reach(name)
	switch {
	case err != nil:
		return err
	case to.info.IsDir():
		return fmt.Errorf("%s is a folder", to.host)
	}
	return p.program(to)
}

// reach brings the folders and links on the way to what a path leads to, and that.
func (p *packer) reach(name string) (to node, err error) {
	if !path.IsAbs(name) {
		return to, errors.New("the path has to be absolute")
	}
	way, to, err := p.view.resolve(name)
	if err != nil {
		return to, err
	}
	if to.path == "/" {
		return to, errors.New("it is all of the machine: name what is needed of it")
	}
	if err := p.addAll(way); err != nil {
		return to, err
	}
	if !to.info.IsDir() && !to.info.Mode().IsRegular() {
		return to, fmt.Errorf("%s is neither a file nor a folder", to.host)
	}
	return to, nil
}

// program brings what a file is started with.
func (p *packer) program(file node) error {
	if p.programs[file.path] {
		return nil
	}
	p.programs[file.path] = true
	o, err := p.loader.object(file)
	if err != nil {
		return err
	}
	if o == nil {
		return p.script(file)
	}
	if o.arch == "" {
		return fmt.Errorf("%s is for %v, and guests are for %s and %s only", file.host, o.machine, amd64, arm64)
	}
	if p.arch == "" {
		p.arch = o.arch
	}
	if o.arch != p.arch {
		return fmt.Errorf("%s is for %s, and another program for %s: bring those of one architecture", file.host, o.arch, p.arch)
	}
	return p.loader.start(o)
}

// folder brings all that is in a folder.
func (p *packer) folder(of node) error {
	if p.folders[of.path] {
		return nil
	}
	p.folders[of.path] = true
	names, err := p.view.list(of.path)
	if err != nil {
		return err
	}
	for _, name := range names {
		inside, err := p.view.at(path.Join(of.path, name))
		if err != nil {
			return err
		}
		if err := p.inFolder(inside); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) inFolder(n node) error {
	switch n.info.Mode().Type() {
	case fs.ModeDir:
		if err := p.add(n); err != nil {
			return err
		}
		return p.folder(n)
	case fs.ModeSymlink:
		if err := p.add(n); err != nil {
			return err
		}
		way, to, err := p.view.resolve(n.path)
		if isNowhere(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if isOwn(to.path) || within(n.path, to.path) {
			return nil
		}
		if err := p.addAll(way); err != nil || n.path == to.path {
			return err
		}
		if to.info.IsDir() {
			return p.folder(to)
		}
		return p.inFolder(to)
	case 0:
		return p.file(n)
	}
	return nil
}

// file brings a file in a folder, and notes what it needs if it is of the ELF.
func (p *packer) file(n node) error {
	if err := p.add(n); err != nil {
		return err
	}
	o, err := p.loader.object(n)
	var broken *elfError
	if errors.As(err, &broken) {
		return nil // it cannot be executed, so it is there for something else
	}
	if err != nil || o == nil {
		return err
	}
	p.loader.later = append(p.loader.later, o)
	return nil
}

// finish brings what can only be found when everything else is there.
func (p *packer) finish() error {
	for _, name := range lookups {
		way, to, err := p.view.resolve(name)
		if isNowhere(err) || err == nil && !to.info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return err
		}
		if err := p.addAll(way); err != nil {
			return err
		}
	}
	if err := p.loader.finish(); err != nil {
		return err
	}
	if len(p.loader.cached) == 0 {
		return nil
	}
	way, _, err := p.view.resolve("/etc")
	if err != nil {
		return err
	}
	if err := p.addAll(way); err != nil {
		return err
	}
	p.entries[cachePath] = made(encodeCache(p.loader.cached))
	return nil
}

func (p *packer) addAll(nodes []node) error {
	for _, n := range nodes {
		if err := p.add(n); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) add(n node) error {
	if _, added := p.entries[n.path]; added || n.path == "/" {
		return nil
	}
	if isOwn(n.path) {
		return fmt.Errorf("the guest has its own %s, which nothing can be brought to", n.path)
	}
	e, err := entryOf(n)
	if err != nil {
		return err
	}
	p.entries[n.path] = e
	return nil
}
