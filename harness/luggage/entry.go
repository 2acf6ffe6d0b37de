package luggage

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"

	"github.com/u-root/u-root/pkg/cpio"
)

// An entry is a file, a folder or a link as it is packed.
type entry struct {
	mode     uint64 // st_mode (inode(7))
	uid, gid uint64
	modified uint64 // a file's, in seconds since 1970
	size     int64  // of the content of a file, in octets
	host     string // the file that has the content
	content  []byte // of a link, or of a file that is made and not brought
}

// entryOf reads what is to be known of a file, a folder or a link.
func entryOf(n node) (entry, error) {
	stat := n.info.Sys().(*syscall.Stat_t)
	e := entry{mode: uint64(stat.Mode), uid: uint64(stat.Uid), gid: uint64(stat.Gid)}
	if stat.Uid == uint32(os.Geteuid()) {
		e.uid = 0
	}
	if stat.Gid == uint32(os.Getegid()) {
		e.gid = 0
	}
	switch n.info.Mode().Type() {
	case fs.ModeDir:
	case fs.ModeSymlink:
		target, err := os.Readlink(n.host)
		if err != nil {
			return entry{}, err
		}
		e.content = []byte(target)
	default:
		if n.info.Size() > math.MaxUint32 {
			return entry{}, fmt.Errorf("%s has %d octets, and a file that is brought can have %d", n.host, n.info.Size(), uint32(math.MaxUint32))
		}
		e.host, e.size = n.host, n.info.Size()
		// Python, for one, takes what it has compiled for old by it.
		e.modified = uint64(max(0, n.info.ModTime().Unix()))
	}
	return e, nil
}

// made is a file of root's that everybody may read.
func made(content []byte) entry {
	return entry{mode: cpio.S_IFREG | 0o644, size: int64(len(content)), content: content}
}

// record gives the entry as the archive has it. It has to be closed.
func (e entry) record(name string) (_ cpio.Record, closer io.Closer, err error) {
	r := cpio.Record{Info: cpio.Info{
		Name: name, Mode: e.mode, UID: e.uid, GID: e.gid, NLink: 1, MTime: e.modified,
	}}
	switch {
	case e.content != nil:
		r.ReaderAt, r.FileSize = bytes.NewReader(e.content), uint64(len(e.content))
	case e.host != "":
		file, err := os.Open(e.host)
		if err != nil {
			return r, nil, err
		}
		r.ReaderAt, r.FileSize = io.NewSectionReader(file, 0, e.size), uint64(e.size)
		return r, file, nil
	}
	return r, io.NopCloser(nil), nil
}
