package vm

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A shape is all that a kept machine owes what it is to. One that has any of it
// otherwise is another machine.
type shape struct {
	// QEMU is its version, with the distribution's.
	QEMU string `json:"QEMU"`
	// Machine is QEMU's command line, and the kernel's.
	Machine string `json:"machine"`
	// Kernel and Initramfs are the SHA-256 of those files' content.
	Kernel    string `json:"kernel"`
	Initramfs string `json:"initramfs"`
}

// differs names the first part that another shape has otherwise.
func (s shape) differs(from shape) (part string, differs bool) {
	for _, p := range []struct{ name, a, b string }{
		{"QEMU", s.QEMU, from.QEMU},
		{"command line", s.Machine, from.Machine},
		{"kernel", s.Kernel, from.Kernel},
		{"init, payload or module", s.Initramfs, from.Initramfs},
	} {
		if p.a != p.b {
			return p.name, true
		}
	}
	return "", false
}

// A kept machine is in a file: this header, as JSON in the first stateOffset
// octets, and what QEMU wrote.
type stateHeader struct {
	Format string `json:"format"`
	Shape  shape  `json:"shape"`
	// Size and CRC are those of what QEMU wrote, in octets and by Castagnoli's
	// polynomial.
	Size int64  `json:"size"`
	CRC  uint32 `json:"crc"`
}

const (
	stateFormat = "finwait machine 1"
	stateOffset = 4096
	stateSuffix = ".machine"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openState opens a kept machine of that shape, and leaves the file where QEMU
// reads on. The error wraps fs.ErrNotExist where none has been kept; any other says
// why it is of no use.
func openState(path string, want shape) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := checkState(file, want); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func checkState(file io.ReadSeeker, want shape) error {
	header, err := readStateHeader(file)
	if err != nil {
		return err
	}
	if part, differs := header.Shape.differs(want); differs {
		return fmt.Errorf("it is of another %s", part)
	}
	sum := crc32.New(castagnoli)
	switch size, err := io.Copy(sum, file); {
	case err != nil:
		return err
	case size != header.Size:
		return fmt.Errorf("it has %d octets of %d: it was cut short", size, header.Size)
	case sum.Sum32() != header.CRC:
		return errors.New("it is damaged")
	}
	_, err = file.Seek(stateOffset, io.SeekStart)
	return err
}

func readStateHeader(file io.Reader) (header stateHeader, err error) {
	begin := make([]byte, stateOffset)
	if _, err := io.ReadFull(file, begin); err != nil {
		return header, fmt.Errorf("it was cut short: %w", err)
	}
	text, _, _ := strings.Cut(string(begin), "\x00")
	if err := json.Unmarshal([]byte(text), &header); err != nil || header.Format != stateFormat {
		return header, errors.New("it is no machine that was kept by this version")
	}
	return header, nil
}

// A newState is a file in which a machine is being kept. Until it is whole it has
// another name.
type newState struct {
	file  *os.File
	path  string
	whole bool
}

const partialSuffix = ".partial"

// createState begins to keep a machine. Of several that would keep the same, one
// does; the others get an error that wraps unix.EWOULDBLOCK.
func createState(path string) (*newState, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path+partialSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, err
	}
	// Whoever had the lock before may have given the file its own name, or removed it.
	if !isFile(path+partialSuffix, file) {
		file.Close()
		return nil, unix.EWOULDBLOCK
	}
	s := &newState{file: file, path: path}
	// A killed process may have left a part.
	err = file.Truncate(0)
	if err == nil {
		_, err = file.Seek(stateOffset, io.SeekStart)
	}
	if err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

// isFile reports whether a path leads to a file that is open.
func isFile(path string, file *os.File) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	own, err := file.Stat()
	return err == nil && os.SameFile(there, own)
}

// complete gives what QEMU has written its header and its name.
func (s *newState) complete(of shape) error {
	if _, err := s.file.Seek(stateOffset, io.SeekStart); err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	size, err := io.Copy(sum, s.file)
	if err != nil {
		return err
	}
	text, err := json.Marshal(stateHeader{Format: stateFormat, Shape: of, Size: size, CRC: sum.Sum32()})
	if err != nil {
		return err
	}
	if len(text) >= stateOffset {
		return fmt.Errorf("the header takes %d octets of %d", len(text), stateOffset)
	}
	if _, err := s.file.WriteAt(text, 0); err != nil {
		return err
	}
	if err := os.Rename(s.path+partialSuffix, s.path); err != nil {
		return err
	}
	s.whole = true
	return nil
}

// discard removes what is not whole, and gives the lock back.
func (s *newState) discard() {
	if !s.whole {
		os.Remove(s.path + partialSuffix)
	}
	s.file.Close()
}

// mostKept is how many machines stay in a folder: some 100 MB each.
const mostKept = 16

// prune removes the machines that have not been used for the longest time, and what
// killed processes have left of those that they began to keep.
func prune(folder string) {
	partial, _ := filepath.Glob(filepath.Join(folder, "*"+stateSuffix+partialSuffix))
	for _, path := range partial {
		if left, err := createState(strings.TrimSuffix(path, partialSuffix)); err == nil {
			left.discard()
		}
	}
	paths, _ := filepath.Glob(filepath.Join(folder, "*"+stateSuffix))
	used := func(path string) time.Time {
		info, err := os.Stat(path)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	slices.SortFunc(paths, func(a, b string) int { return used(b).Compare(used(a)) })
	for _, path := range paths[min(mostKept, len(paths)):] {
		os.Remove(path)
	}
}
