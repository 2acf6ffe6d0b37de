package luggage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
)

// A loader finds shared libraries where ld.so(8) does in the guest: where the file that
// needs one says (DT_RPATH and DT_RUNPATH, with $ORIGIN), in the folders of
// /etc/ld.so.conf and in the usual ones. The guest's environment does not matter
// (LD_LIBRARY_PATH), and neither do libraries for better processors (glibc-hwcaps).
type loader struct {
	packer   *packer
	known    map[string]*object // what has been read, by path; nil where it is not of the ELF
	seen     map[string]bool    // what has been loaded, by path and inherited folders
	later    []*object          // in folders
	provided map[string]bool    // names of libraries that have been brought
	missing  []missing
	cached   []library // that the guest finds by its ld.so.cache
	conf     []string  // the folders of ld.so.conf, once it has been read
	confRead bool
}

// A missing library may yet be one that is loaded by another path.
type missing struct {
	name   string
	of     *object
	looked []string
}

// usual are the folders that glibc looks in, as Debian and as others build it.
var usual = map[string][]string{
	amd64: {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"},
	arm64: {"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"},
}

const libc = "libc.so.6"

// unannounced are the libraries that glibc loads without saying so in any file: to look
// up users and hosts (nsswitch.conf(5)), where it does not do so itself, and to end a
// thread (pthread_cancel(3)).
var unannounced = []string{"libnss_files.so.2", "libnss_dns.so.2", "libgcc_s.so.1"}

// object reads a file of the view, once.
func (l *loader) object(file node) (*object, error) {
	if o, known := l.known[file.path]; known {
		return o, nil
	}
	o, err := readObject(file.host)
	if err != nil {
		return nil, err
	}
	if o != nil {
		o.path = file.path
	}
	l.known[file.path] = o
	return o, nil
}

// start brings what a program, or a module, is started with.
func (l *loader) start(o *object) error {
	if o.interpreter != "" {
		way, to, err := l.packer.view.resolve(o.interpreter)
		if err != nil {
			return fmt.Errorf("the interpreter of %s: %w", o.path, err)
		}
		if err := l.packer.addAll(way); err != nil {
			return err
		}
		l.provided[path.Base(to.path)] = true
		l.provided[path.Base(o.interpreter)] = true
	}
	return l.load(o)
}

// load brings the shared libraries that a file needs, those first that it names itself.
func (l *loader) load(of *object) error {
	type waiting struct {
		*object
		inherited []string // the folders of those that it was loaded for
	}
	for queue := []waiting{{of, nil}}; len(queue) > 0; queue = queue[1:] {
		o := queue[0]
		l.provided[path.Base(o.path)], l.provided[o.soname] = true, true
		inherited := append(folders(o.rpath, o.path), o.inherited...)
		id := strings.Join(append([]string{o.path}, inherited...), ":")
		if l.seen[id] {
			continue
		}
		l.seen[id] = true
		for _, name := range o.needed {
			found, err := l.need(name, o.object, inherited)
			if err != nil {
				return err
			}
			if found != nil {
				queue = append(queue, waiting{found, inherited})
			}
		}
		if o.soname != libc {
			continue
		}
		for _, name := range unannounced {
			found, err := l.try(path.Join(path.Dir(o.path), name), o.object)
			if err != nil {
				return err
			}
			if found != nil {
				l.cached = append(l.cached, library{name, found.path, found.arch})
				queue = append(queue, waiting{found, nil})
			}
		}
	}
	return nil
}

// need brings a library that a file needs. Where there is none, that is noted.
func (l *loader) need(name string, of *object, inherited []string) (*object, error) {
	if strings.Contains(name, "/") {
		if path.IsAbs(name) {
			if found, err := l.try(name, of); found != nil || err != nil {
				return found, err
			}
		}
		l.missing = append(l.missing, missing{name, of, nil})
		return nil, nil
	}
	own := inherited
	if of.runpath != nil {
		own = folders(of.runpath, of.path)
	}
	found, err := l.search(name, of, own)
	if found != nil || err != nil {
		return found, err
	}
	common, err := l.common(of.arch)
	if err != nil {
		return nil, err
	}
	found, err = l.search(name, of, common)
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		l.missing = append(l.missing, missing{name, of, slices.Concat(own, common)})
	default:
		l.cached = append(l.cached, library{name, found.path, found.arch})
	}
	return found, nil
}

// search looks for a library in folders, in their order.
func (l *loader) search(name string, of *object, in []string) (*object, error) {
	for _, folder := range in {
		if found, err := l.try(folder+"/"+name, of); found != nil || err != nil {
			return found, err
		}
	}
	return nil, nil
}

// try brings the library at a path, if there is one for the same processor.
func (l *loader) try(name string, of *object) (*object, error) {
	way, to, err := l.packer.view.resolve(name)
	switch {
	case isNowhere(err) || err == nil && !to.info.Mode().IsRegular():
		return nil, nil
	case err != nil:
		return nil, err
	}
	o, err := l.object(to)
	var broken *elfError
	if errors.As(err, &broken) || err == nil && (o == nil || o.arch != of.arch) {
		return nil, nil // ld.so(8) goes on to the next as well
	}
	if err != nil {
		return nil, err
	}
	as := *o
	as.path = name
	return &as, l.packer.addAll(way)
}

// common are the folders in which all programs' libraries are looked for.
func (l *loader) common(arch string) ([]string, error) {
	if !l.confRead {
		var err error
		if l.conf, err = readConf(l.packer.view); err != nil {
			return nil, err
		}
		l.confRead = true
	}
	return append(slices.Clone(l.conf), slices.DeleteFunc(slices.Clone(usual[arch]), func(folder string) bool {
		return slices.Contains(l.conf, folder)
	})...), nil
}

// finish brings what modules need, and tells what is missing.
func (l *loader) finish() error {
	for _, o := range l.later {
		l.provided[path.Base(o.path)], l.provided[o.soname] = true, true
	}
	for _, o := range l.later {
		if o.arch == "" || l.packer.arch != "" && o.arch != l.packer.arch {
			continue // nothing in the guest can load it
		}
		if err := l.start(o); err != nil {
			return err
		}
	}
	var lacks []error
	for _, m := range l.missing {
		if l.provided[m.name] {
			continue // it is loaded already, or told of already
		}
		l.provided[m.name] = true
		where := "at that path"
		if m.looked != nil {
			where = "in " + strings.Join(m.looked, ", ")
		}
		lacks = append(lacks, fmt.Errorf("the shared library %s, which %s needs, is not %s of %s: install it, or bring what has it",
			m.name, m.of.path, where, strings.Join(l.packer.view.roots, ", ")))
	}
	return errors.Join(lacks...)
}

// folders are those of a DT_RPATH or DT_RUNPATH: paths with colons between them, in which
// $ORIGIN is the folder of the file that has it. Those with another variable, or that
// depend on where the program is started, are left out.
func folders(lists []string, file string) []string {
	var all []string
	origin := strings.NewReplacer("$ORIGIN", path.Dir(file), "${ORIGIN}", path.Dir(file))
	for _, list := range lists {
		for folder := range strings.SplitSeq(list, ":") {
			folder = origin.Replace(folder)
			if path.IsAbs(folder) && !strings.Contains(folder, "$") {
				all = append(all, folder)
			}
		}
	}
	return all
}

// isNowhere reports whether an error says that a path leads to nothing.
func isNowhere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}
