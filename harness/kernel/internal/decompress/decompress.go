// Package decompress opens what kernel modules and packages are compressed
// with.
package decompress

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Reader returns the decompressed content of r, a stream that the ending of
// name says the format of: .xz, .zst, .gz or, with any other ending, none. The
// caller closes it; r itself stays open.
func Reader(name string, r io.Reader) (io.ReadCloser, error) {
	switch path.Ext(name) {
	case ".xz":
		// It asks for single bytes.
		d, err := xz.NewReader(bufio.NewReader(r))
		if err != nil {
			return nil, fmt.Errorf("not an xz stream: %w", err)
		}
		return io.NopCloser(d), nil
	case ".zst":
		// One decoder goroutine is enough for files of this size and leaves
		// the other processors to whoever is waiting.
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("not a zstd stream: %w", err)
		}
		return d.IOReadCloser(), nil
	case ".gz":
		d, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("not a gzip stream: %w", err)
		}
		return d, nil
	}
	return io.NopCloser(r), nil
}
