package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
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

// prune removes the machines that have not been used for the longest time.
func prune(folder string) {
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

// resumeDeadline is how much of the host's time a resumed machine gets to tell that
// it runs. It takes a fifth of a second.
const resumeDeadline = 10 * time.Second

// resume has the machine go on from what was kept of it. Where nothing was, or what
// was is of no use, nothing is done.
func (m Machine) resume(ctx context.Context, p *parts, line func([]byte)) (result Result, err error, done bool) {
	if !m.keeps() {
		return Result{}, nil, false
	}
	path := m.statePath(p)
	file, err := openState(path, p.shape)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Result{}, nil, false
	case err != nil:
		m.notice("%s boots cold: %s cannot be resumed: %v", m.name(), path, err)
		return Result{}, nil, false
	}
	defer file.Close()
	now := time.Now()
	_ = os.Chtimes(path, now, now) // see prune; a folder that is not ours to write to is read all the same

	l := p.launch(m)
	l.add("-incoming", "defer")
	q, err := startQEMU(p.qemu, l)
	if err != nil {
		return Result{}, m.failure(Refused, err), true
	}
	result, err = m.follow(ctx, q, line, resumeDeadline, func(q *monitor, _ <-chan struct{}) error { return q.load(file) })
	result.Resumed = true
	if err == nil || result.Release != "" || ctx.Err() != nil {
		return result, err, true
	}
	os.Remove(path)
	var failed *Error
	if errors.As(err, &failed) {
		err = fmt.Errorf("%s: %w", failed.Reason, failed.Err)
	}
	m.notice("%s boots cold: resumed from %s, %s", m.name(), path, oneLine(err))
	return Result{}, nil, false
}

// boot boots the machine, and keeps it if it is to.
func (m Machine) boot(ctx context.Context, p *parts, line func([]byte)) (Result, error) {
	l := p.launch(m)
	kernel, err := m.openKernel()
	if err != nil {
		return Result{}, m.failure(NotAKernel, err)
	}
	defer kernel.Close()
	l.add("-kernel", l.inherit(kernel), "-initrd", l.inherit(p.initramfs), "-append", m.kernelArguments())
	q, err := startQEMU(p.qemu, l)
	if err != nil {
		return Result{}, m.failure(Refused, err)
	}
	return m.follow(ctx, q, line, m.bootDeadline(), func(q *monitor, booted <-chan struct{}) error {
		if err := awaitStop(q, booted); err != nil || !m.keeps() {
			return err
		}
		if err := m.keep(q, p); err != nil {
			m.notice("%s cannot be kept in %s, and will boot again the next time: %s", m.name(), m.Cache, oneLine(err))
		}
		return nil
	})
}

// keep keeps the machine that has booted, unless another process is doing so.
func (m Machine) keep(q *monitor, p *parts) error {
	state, err := createState(m.statePath(p))
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer state.discard()
	if err := q.save(state.file); err != nil {
		return err
	}
	if err := state.complete(p.shape); err != nil {
		return err
	}
	prune(m.Cache)
	return nil
}

func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
