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

// temporaryFile makes a file that has no name any more, so that nothing is left of
// it however the process ends.
func temporaryFile(what string) (*os.File, error) {
	file, err := os.CreateTemp("", "finwait-"+what+"-*")
	if err != nil {
		return nil, temporaryError("a temporary file", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, temporaryError("a temporary file", err)
	}
	return file, nil
}

func temporaryError(what string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("write %s to %s: %w: make room there or point TMPDIR to a folder with more", what, os.TempDir(), err)
	}
	return fmt.Errorf("make %s: %w", what, err)
}

// newInitramfs writes what the guest boots into: init, the program and the modules.
// It is not compressed: to decompress 16 MB costs the guest more than to copy them,
// 0.9 s against 0.3 s. It is the same to the letter for the same content.
func (m Machine) newInitramfs(p Payload, modules []kernel.Module) (*os.File, error) {
	file, err := temporaryFile("initramfs")
	if err != nil {
		return nil, err
	}
	err = writeInitramfs(file, m.architecture().init, p, modules)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, temporaryError("the initramfs", err)
	}
	return file, nil
}

func writeInitramfs(w io.Writer, port string, p Payload, modules []kernel.Module) error {
	buffer := bufio.NewWriterSize(w, 1<<20)
	archive := cpio.Newc.Writer(buffer)
	records := []cpio.Record{
		cpio.Directory("dev", 0o755),
		// The kernel opens it for init before anything is mounted.
		cpio.CharDev("dev/console", 0o600, 5, 1),
		cpio.Directory("root", 0o700),
		cpio.Directory(inArchive(guest.Folder), 0o755),
		cpio.Directory(inArchive(guest.ModulesPath), 0o755),
		cpio.Directory(inArchive(guest.ProgramPath), 0o755),
	}
	if err := cpio.WriteRecords(archive, records); err != nil {
		return err
	}
	plan := guest.Plan{Port: port, Program: p.program()}
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
	if p.Binary != "" {
		if err := writeProgram(archive, inArchive(plan.Program.Path), p.Binary); err != nil {
			return fmt.Errorf("the payload: %w", err)
		}
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

// program is what the guest's init knows of the payload from the beginning.
func (p Payload) program() guest.Program {
	if p.Binary == "" {
		return guest.Program{}
	}
	return guest.Program{Path: path.Join(guest.ProgramPath, filepath.Base(p.Binary)), Env: p.Env, Held: p.Held}
}

// inArchive gives a path of the guest's as it stands in the archive.
func inArchive(path string) string { return strings.TrimPrefix(path, "/") }
