package luggage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/u-root/u-root/pkg/cpio"
	"golang.org/x/sys/unix"
)

// Unpack puts what Write wrote below a folder, as root. Folders may be there already, and
// then get the mode and owner that they are packed with; nothing else may. The error says
// which file could not be made.
func Unpack(archive io.ReaderAt, below string) error {
	reader := cpio.Newc.Reader(archive)
	if whole, ok := reader.(cpio.EOFReader); ok {
		reader = whole.RecordReader // which tells the end from a part that is missing
	}
	for {
		record, err := reader.ReadRecord()
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("read the archive: it was cut short")
		case err != nil:
			return fmt.Errorf("read the archive: %w", err)
		case record.Name == cpio.Trailer:
			return nil
		}
		if !filepath.IsLocal(record.Name) {
			return fmt.Errorf("unpack %q: it is not below the folder", record.Name)
		}
		if err := unpack(record, filepath.Join(below, record.Name)); err != nil {
			return fmt.Errorf("unpack /%s: %w", record.Name, err)
		}
	}
}

func unpack(r cpio.Record, at string) error {
	switch r.Mode & cpio.S_IFMT {
	case cpio.S_IFDIR:
		if err := os.Mkdir(at, 0o700); err != nil && !isFolder(at) {
			return err
		}
	case cpio.S_IFLNK:
		target := make([]byte, r.FileSize)
		if _, err := io.ReadFull(content(r), target); err != nil {
			return err
		}
		if err := os.Symlink(string(target), at); err != nil {
			return err
		}
		return os.Lchown(at, int(r.UID), int(r.GID))
	case cpio.S_IFREG:
		if err := unpackFile(r, at); err != nil {
			return err
		}
	default:
		return fmt.Errorf("its mode %#o is that of neither a file, a folder nor a link", r.Mode)
	}
	if err := os.Lchown(at, int(r.UID), int(r.GID)); err != nil {
		return err
	}
	// Not before: chown(2) takes the set-user-ID bit away.
	return unix.Chmod(at, uint32(r.Mode&^cpio.S_IFMT))
}

func unpackFile(r cpio.Record, at string) error {
	file, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, content(r))
	if err == nil && uint64(n) != r.FileSize {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	modified := time.Unix(int64(r.MTime), 0)
	return os.Chtimes(at, modified, modified)
}

func content(r cpio.Record) io.Reader { return io.NewSectionReader(r, 0, int64(r.FileSize)) }

func isFolder(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode().Type() == fs.ModeDir
}
