package programs

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// architectures are those that a release is made for, as Go calls them. It carries the
// programs for guests of each.
var architectures = []string{"amd64", "arm64"}

// packed are the programs of a release, which needs neither Go nor a checkout:
// ARCHITECTURE/NAME.zst. It is nil in a gate that builds them itself.
var packed fs.FS

// Carried are the architectures, as Go calls them, for whose guests this gate carries the
// programs; none in one that builds them when they are needed.
func Carried() []string {
	if packed == nil {
		return nil
	}
	return architectures
}

// Pack builds what a release carries, and has each file written under its name, such as
// amd64/init.zst.
func Pack(ctx context.Context, write func(name string, content func(io.Writer) error) error) error {
	carried := []program{guestInit}
	for _, s := range suites {
		carried = append(carried, s.program())
	}
	folder, err := newFolder()
	if err != nil {
		return err
	}
	defer folder.remove()
	for _, arch := range architectures {
		for _, p := range carried {
			if err := p.compile(ctx, arch, folder.path); err != nil {
				return err
			}
			content := func(w io.Writer) error { return compress(w, filepath.Join(folder.path, p.name)) }
			if err := write(p.packedName(arch), content); err != nil {
				return err
			}
		}
	}
	return nil
}

// packedName is what a release calls the program for an architecture.
func (p program) packedName(arch string) string { return path.Join(arch, p.name+".zst") }

// compress gives the same bytes for the same file, whatever machine it runs on: more
// than one goroutine would cut the file up by how many processors there are.
func compress(w io.Writer, file string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	encoder, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if _, err := io.Copy(encoder, from); err != nil {
		return err
	}
	return encoder.Close()
}

// unpack brings out the program that a release carries for an architecture, into a folder.
func (p program) unpack(release fs.FS, arch, folder string) error {
	if err := decompress(filepath.Join(folder, p.name), release, p.packedName(arch)); err != nil {
		return fmt.Errorf("unpack the programs for %s that this gate carries: %w", arch, err)
	}
	return nil
}

func decompress(to string, release fs.FS, name string) error {
	from, err := release.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	decoder, err := zstd.NewReader(from)
	if err != nil {
		return err
	}
	defer decoder.Close()
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := decoder.WriteTo(file); err != nil {
		file.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return file.Close()
}
