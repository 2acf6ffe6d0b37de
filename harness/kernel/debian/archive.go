// Package debian gets kernels out of Debian's archive. What it returns has been
// vouched for by the archive's signed index: a signature by a key of the
// keyring covers InRelease, a hash in InRelease covers Packages, and a hash in
// Packages covers the package.
package debian

import (
	"io/fs"
	"os"
	"sync"
	"time"
)

// An Archive is Debian's archive as this machine sees it. The zero value works:
// it finds mirrors and keys where the machine's package manager does, and keeps
// indices and unpacked kernels in finwait in the user's cache folder
// (os.UserCacheDir). An Archive may be used by several goroutines, and its cache by
// several processes at once.
//
// An index past its Valid-Until is refused, unless the machine's administrator has
// told apt to use such (Check-Valid-Until in apt.conf(5) and sources.list(5)), and
// so is one that is older than what the cache remembers of its suite.
type Archive struct {
	// Mirrors are the URIs of folders that hold dists/ and pool/, tried in turn.
	// If it is empty, the machine's own apt sources are used and, where these
	// have no Debian, those that the distribution knows of.
	Mirrors []string
	// Keyring is the file of the OpenPGP public keys, binary or armoured, one of which
	// has to have signed an index. If it is empty, the keys are those of the machine's
	// package debian-archive-keyring.
	Keyring string
	// Progress, if not nil, is told how far the work on a file has come. Several
	// files may be under way at once; the calls do not overlap.
	Progress func(Progress)
	// Notice, if not nil, gets what the user should know though nothing failed:
	// one line without a newline. Calls do not overlap.
	Notice func(string)

	// root is the file system that apt's files and the keys are read from; nil
	// means the machine's.
	root fs.FS
	// cache is the folder of the cache; empty means finwait in the user's.
	cache string
	// patience is for how long a mirror may send nothing; zero means
	// defaultPatience.
	patience time.Duration
	// create makes the file that a download is written to; nil means os.Create.
	create func(name string) (*os.File, error)

	// report is held during calls of Progress and Notice.
	report sync.Mutex
}

// A Step is what is being done with a file.
type Step string

// The steps of getting a kernel.
const (
	Download Step = "download"
	Unpack   Step = "unpack"
)

// Progress is how far the work on one file has come.
type Progress struct {
	Step Step
	// File names what is worked on, such as
	// "bullseye/main/binary-amd64/Packages.xz" or "linux-image-….deb".
	File string
	// Done and Total count bytes of the file. Where a step succeeds, its last
	// report has Done equal to Total.
	Done, Total int64
}

func (a *Archive) progress(p Progress) {
	if a.Progress == nil {
		return
	}
	a.report.Lock()
	defer a.report.Unlock()
	a.Progress(p)
}

func (a *Archive) notice(line string) {
	if a.Notice == nil {
		return
	}
	a.report.Lock()
	defer a.report.Unlock()
	a.Notice(line)
}

func (a *Archive) machine() fs.FS {
	if a.root != nil {
		return a.root
	}
	return os.DirFS("/")
}
