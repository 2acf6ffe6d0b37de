// Package debian gets kernels out of Debian's archive. What it returns has been
// vouched for by the archive's signed index: a signature by a key of the
// keyring covers InRelease, a hash in InRelease covers Packages, and a hash in
// Packages covers the package.
package debian

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// architecture is Debian's name for that of the kernels.
const architecture = "amd64"

// An Archive is Debian's archive as this machine sees it. The zero value works:
// it finds mirrors and keys where the machine's package manager does. An Archive
// may be used by several goroutines, and its cache by several processes at once.
type Archive struct {
	// Mirrors are the URIs of folders that hold dists/ and pool/, tried in turn.
	// If it is empty, the machine's own apt sources are used and, where these
	// have no Debian, those that the distribution knows of.
	Mirrors []string
	// Keyring is a file with the OpenPGP keys, binary or armoured, that an index
	// has to be signed by one of. Empty means that of Debian's package
	// debian-archive-keyring.
	Keyring string
	// Cache is the folder for indices and unpacked kernels. Empty means finwait
	// in the user's cache folder.
	Cache string
	// AllowExpired accepts an index past its Valid-Until, which is how long the
	// archive wants it to be used: a mirror that has stopped may give one. Where
	// the machine's apt accepts them (Check-Valid-Until in apt.conf(5)), so does
	// an Archive in any case. Each use is a Notice.
	AllowExpired bool
	// Progress, if not nil, is told how far the work on a file has come. Several
	// files may be under way at once; the calls do not overlap.
	Progress func(Progress)
	// Notice, if not nil, gets what the user should know though nothing failed:
	// one line without a newline. Calls do not overlap.
	Notice func(string)

	// root is the file system that apt's files are read from; nil means the
	// machine's.
	root fs.FS
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

func (a *Archive) notice(format string, args ...any) {
	if a.Notice == nil {
		return
	}
	a.report.Lock()
	defer a.report.Unlock()
	a.Notice(fmt.Sprintf(format, args...))
}

// cache returns the path of an entry of the cache.
func (a *Archive) cache(elements ...string) (string, error) {
	folder := a.Cache
	if folder == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a folder for the downloaded kernels: %w", err)
		}
		folder = filepath.Join(user, "finwait")
	}
	return filepath.Join(folder, "debian", filepath.Join(elements...)), nil
}

func (a *Archive) machine() fs.FS {
	if a.root != nil {
		return a.root
	}
	return os.DirFS("/")
}
