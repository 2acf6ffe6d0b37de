package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrNotAFile is in the error of Open where there is something else than a file.
var ErrNotAFile = errors.New("it is not a file")

// Open opens a file that the user named, or that lies in a folder the user named. The
// error wraps ErrNotAFile for anything else: opening a FIFO would wait for a writer
// (fifo(7)), and a device may never end.
func Open(path string) (*os.File, error) {
	// What cannot be looked at cannot be opened, either.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, ErrNotAFile)
	}
	return os.Open(path)
}

func readFile(path string) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}
