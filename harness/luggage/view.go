package luggage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A view is what trees look like that are laid over one another.
type view struct{ roots []string }

// A node is a file, folder or link of a view.
type node struct {
	path string // in the view, without links
	host string // where that is
	info fs.FileInfo
}

// at gives what is at a path, of which a link is not followed. Its folder's path has no
// links, as far as the first root goes that has it; those of the others are followed.
func (v view) at(name string) (node, error) {
	for _, root := range v.roots {
		host := filepath.Join(root, name)
		info, err := os.Lstat(host)
		if err == nil {
			return node{name, host, info}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return node{}, err
		}
	}
	return node{}, &fs.PathError{Op: "find", Path: name, Err: fmt.Errorf("%w in %s", fs.ErrNotExist, strings.Join(v.roots, ", "))}
}

// maxLinks is how many links the kernel follows on the way to a file
// (path_resolution(7)).
const maxLinks = 40

// resolve follows a path. The way to what it leads to are the folders and links that have
// to be there.
func (v view) resolve(name string) (way []node, to node, err error) {
	rest := strings.Split(name, "/")
	if to, err = v.at("/"); err != nil {
		return nil, node{}, err
	}
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "" || part == "." {
			continue
		}
		if !to.info.IsDir() {
			return nil, node{}, &fs.PathError{Op: "find", Path: path.Join(to.path, part), Err: syscall.ENOTDIR}
		}
		from := to.path
		if to, err = v.at(path.Join(from, part)); err != nil {
			return nil, node{}, err
		}
		way = append(way, to)
		if to.info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if links++; links > maxLinks {
			return nil, node{}, &fs.PathError{Op: "find", Path: name, Err: syscall.ELOOP}
		}
		target, err := os.Readlink(to.host)
		if err != nil {
			return nil, node{}, err
		}
		rest = append(strings.Split(target, "/"), rest...)
		if path.IsAbs(target) {
			from = "/"
		}
		if to, err = v.at(from); err != nil {
			return nil, node{}, err
		}
	}
	return way, to, nil
}

// list gives the names in a folder of the view, sorted.
func (v view) list(folder string) ([]string, error) {
	var names []string
	for _, root := range v.roots {
		entries, err := os.ReadDir(filepath.Join(root, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return nil, err
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// glob gives the paths that match a pattern, whose folder is none (glob(7)).
func (v view) glob(pattern string) ([]string, error) {
	_, folder, err := v.resolve(path.Dir(pattern))
	if isNowhere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := v.list(folder.path)
	if err != nil {
		return nil, err
	}
	var matching []string
	for _, name := range names {
		matches, err := path.Match(path.Base(pattern), name)
		if err != nil {
			return nil, err
		}
		if matches {
			matching = append(matching, path.Join(folder.path, name))
		}
	}
	return matching, nil
}

// read reads the file at a path, up to a limit, in octets.
func (v view) read(name string, limit int64) ([]byte, error) {
	_, to, err := v.resolve(name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(to.host)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAtMost(file, limit)
}
