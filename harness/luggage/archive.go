package luggage

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"
)

// Write writes the luggage as a cpio archive of the newc form (Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst), sorted. It is the same to
// the letter for files that are the same in content, mode, owner and the time of their
// last change. The error says which file cannot be read, or has become shorter since it
// was packed.
func (l *Luggage) Write(w io.Writer) error {
	buffer := bufio.NewWriterSize(w, 1<<20)
	archive := cpio.Newc.Writer(buffer)
	for _, name := range l.Paths() {
		if err := l.entries[name].write(archive, strings.TrimPrefix(name, "/")); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := cpio.WriteTrailer(archive); err != nil {
		return err
	}
	return buffer.Flush()
}

func (e entry) write(archive cpio.RecordWriter, name string) error {
	record, file, err := e.record(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return archive.WriteRecord(record)
}
