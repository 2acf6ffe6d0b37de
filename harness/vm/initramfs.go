package vm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/vm/internal/guest"
)

// newInitramfs writes the guest's first and only file system to a temporary
// file that has no name any more, so that nothing is left of it however the
// process ends. It is not compressed: to decompress 16 MB costs the guest more
// than to copy them, 0.9 s against 0.3 s.
func newInitramfs(p Payload, modules []kernel.Module) (*os.File, error) {
	file, err := os.CreateTemp("", "finwait-initramfs-*")
	if err != nil {
		return nil, noInitramfs(err)
	}
	err = os.Remove(file.Name())
	if err == nil {
		err = writeInitramfs(file, p, modules)
	}
	if err != nil {
		file.Close()
		return nil, noInitramfs(err)
	}
	return file, nil
}

func noInitramfs(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("write the initramfs to %s: %w: make room there or point TMPDIR to a folder with more", os.TempDir(), err)
	}
	return fmt.Errorf("make the initramfs: %w", err)
}

func writeInitramfs(w io.Writer, p Payload, modules []kernel.Module) error {
	buffer := bufio.NewWriterSize(w, 1<<20)
	archive := cpio.Newc.Writer(buffer)
	payload := path.Join("/bin", filepath.Base(p.Binary))
	plan := guest.Plan{Payload: guest.Payload{Path: payload, Args: p.Args, Env: p.Env}}
	records := []cpio.Record{
		cpio.Directory("dev", 0o755),
		// The kernel opens it for init before anything is mounted.
		cpio.CharDev("dev/console", 0o600, 5, 1),
		cpio.Directory("bin", 0o755),
		cpio.Directory("root", 0o700),
		cpio.Directory(inArchive(guest.ModulesPath), 0o755),
	}
	if err := cpio.WriteRecords(archive, records); err != nil {
		return err
	}
	for _, m := range modules {
		ko, err := m.Read()
		if err != nil {
			return err
		}
		place := path.Join(guest.ModulesPath, m.Name+".ko")
		if err := archive.WriteRecord(cpio.StaticFile(inArchive(place), string(ko), 0o644)); err != nil {
			return err
		}
		plan.Modules = append(plan.Modules, guest.Module{Name: m.Name, Path: place})
	}
	text, err := plan.Encode()
	if err != nil {
		return err
	}
	if err := archive.WriteRecord(cpio.StaticFile(inArchive(guest.PlanPath), string(text), 0o644)); err != nil {
		return err
	}
	if err := writeProgram(archive, "init", p.Init); err != nil {
		return fmt.Errorf("the guest's init: %w", err)
	}
	if err := writeProgram(archive, inArchive(payload), p.Binary); err != nil {
		return fmt.Errorf("the payload: %w", err)
	}
	if err := cpio.WriteTrailer(archive); err != nil {
		return err
	}
	return buffer.Flush()
}

func writeProgram(archive cpio.RecordWriter, name, file string) error {
	program, err := os.Open(file)
	if err != nil {
		return err
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", file)
	}
	return archive.WriteRecord(cpio.Record{
		ReaderAt: io.NewSectionReader(program, 0, info.Size()),
		Info:     cpio.Info{Name: name, Mode: cpio.S_IFREG | 0o755, FileSize: uint64(info.Size())},
	})
}

// inArchive gives a path of the guest's as it stands in the archive.
func inArchive(path string) string { return strings.TrimPrefix(path, "/") }
