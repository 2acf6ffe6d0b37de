// Package catalogue holds the servers that are tried: real programs from
// Debian's packages, each with configurations of our own, and which call each
// ends a connection with.
package catalogue

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// A Server is one program with one configuration. It runs in the foreground, as
// root, needs no user but root and nobody, and stops at a SIGTERM.
type Server struct {
	// Name is program/configuration, in lower case and with hyphens.
	Name string
	// Package is the Debian package whose version counts, with a pattern of
	// path.Match where its name tells a version.
	Package string
	// Files are written into a folder of the server's own before it starts: the
	// content by the name. In Files and Args, "{dir}" is that folder's path.
	Files map[string]string
	// Args is the command, with the program's absolute path. One with a "*" is a
	// pattern of path.Match, and is the path in the tree that it matches.
	Args []string
	// Env are variables of its environment, NAME=VALUE.
	Env []string
	// Nobody says that it refuses to be root: it and its folder are nobody's.
	Nobody bool
	// Brings are the files and folders that it loads at run time besides its
	// shared libraries, as patterns of path.Match: their names tell versions.
	Brings []string
	// Listen is where it listens for connections. It has a network namespace of
	// its own, so the port is never taken.
	Listen netip.AddrPort
	// Request is what a client sends, octet by octet. It fits into one segment
	// of Ethernet's.
	Request string
	// Answer is what the answer to Request begins with. A server that answers
	// otherwise is not ready: PostgreSQL listens before it is.
	Answer string
	// Ends is how it ends the connection of a client that sends Request, reads
	// the answer and does not close.
	Ends Ending
}

// All returns every server, by name.
func All() []Server {
	all := slices.Concat(nginx(), haproxy(), apache(), lighttpd(), redis(), postgresql(), node(), asyncio())
	slices.SortFunc(all, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// In returns the server as it is started: with dir, an absolute path, in the
// place of "{dir}", and the paths that Args and Brings match in a tree of
// unpacked packages, such as os.DirFS of it. What matches nothing, or as an
// argument more than one path, is an error.
func (s Server) In(tree fs.FS, dir string) (Server, error) {
	in := strings.NewReplacer("{dir}", dir)
	files := make(map[string]string, len(s.Files))
	for name, content := range s.Files {
		files[name] = in.Replace(content)
	}
	args := make([]string, len(s.Args))
	for i, arg := range s.Args {
		args[i] = in.Replace(arg)
		if !strings.Contains(arg, "*") {
			continue
		}
		found, err := match(tree, arg)
		if err == nil && len(found) > 1 {
			err = fmt.Errorf("%s is more than one path in the tree: %q", arg, found)
		}
		if err != nil {
			return Server{}, fmt.Errorf("%s starts: %w", s.Name, err)
		}
		args[i] = found[0]
	}
	var brings []string
	for _, pattern := range s.Brings {
		found, err := match(tree, pattern)
		if err != nil {
			return Server{}, fmt.Errorf("%s brings: %w", s.Name, err)
		}
		brings = append(brings, found...)
	}
	s.Files, s.Args, s.Brings = files, args, brings
	return s, nil
}

// match returns the absolute paths in tree that match pattern, one at least.
func match(tree fs.FS, pattern string) ([]string, error) {
	found, err := fs.Glob(tree, strings.TrimPrefix(pattern, "/"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: the tree has none; make -B servers unpacks it again", pattern)
	}
	for i := range found {
		found[i] = path.Join("/", found[i])
	}
	return found, nil
}

// listen is where each server listens.
var listen = netip.MustParseAddrPort("0.0.0.0:8080")
