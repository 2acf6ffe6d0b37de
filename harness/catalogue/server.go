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
	// Args is the command, with the program's absolute path.
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

// In returns the server with dir, an absolute path, in the place of "{dir}".
func (s Server) In(dir string) Server {
	in := strings.NewReplacer("{dir}", dir)
	files := make(map[string]string, len(s.Files))
	for name, content := range s.Files {
		files[name] = in.Replace(content)
	}
	args := make([]string, len(s.Args))
	for i, arg := range s.Args {
		args[i] = in.Replace(arg)
	}
	s.Files, s.Args = files, args
	return s
}

// Brought returns the absolute paths that Brings matches in a tree of unpacked
// packages, such as os.DirFS of it. One that matches nothing is an error.
func (s Server) Brought(tree fs.FS) ([]string, error) {
	var paths []string
	for _, pattern := range s.Brings {
		found, err := fs.Glob(tree, strings.TrimPrefix(pattern, "/"))
		if err != nil {
			return nil, fmt.Errorf("%s brings %s: %w", s.Name, pattern, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s brings %s: the tree has none; make -B servers unpacks it again", s.Name, pattern)
		}
		for _, name := range found {
			paths = append(paths, path.Join("/", name))
		}
	}
	return paths, nil
}

// listen is where each server listens.
var listen = netip.MustParseAddrPort("0.0.0.0:8080")
