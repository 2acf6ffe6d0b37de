package debian

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/kernel/internal/decompress"
)

// Bounds of one package's content. The largest cloud kernel has 150 MB in 4000
// files.
const (
	maxUnpacked = 2 << 30 // in bytes
	maxEntries  = 200_000
)

// An unpacker writes the parts of kernel packages that booting and loading
// modules need into a folder: vmlinuz, config and lib/modules/RELEASE.
type unpacker struct {
	// folder is where it writes; os.Root sees to it that no name leads out.
	folder *os.Root
	// left is how many bytes may still be written.
	left int64
}

// unpack writes the content of the package deb, a file of the format of deb(5).
func (u *unpacker) unpack(ctx context.Context, deb io.Reader) error {
	return readMember(deb, "data.tar", func(content io.Reader) error {
		return u.unpackTar(ctx, tar.NewReader(content))
	})
}

// readMember has the first member of a package whose name begins so read, decompressed.
func readMember(deb io.Reader, prefix string, read func(content io.Reader) error) error {
	archive, err := newArReader(deb)
	if err != nil {
		return err
	}
	for {
		name, content, err := archive.next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("it has no %s", prefix)
		}
		if err != nil {
			return err
		}
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		data, err := decompress.Reader(name, content)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer data.Close()
		if err := read(data); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
}

func (u *unpacker) unpackTar(ctx context.Context, data *tar.Reader) error {
	for range maxEntries {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := data.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		// Links, of which there are those to the headers, are not needed.
		name, ok := place(header.Name)
		if !ok || header.Typeflag != tar.TypeReg {
			continue
		}
		if u.left -= header.Size; u.left < 0 {
			return fmt.Errorf("more than %d bytes of content", int64(maxUnpacked))
		}
		if err := u.write(name, data); err != nil {
			return err
		}
	}
	return fmt.Errorf("more than %d files", maxEntries)
}

// place tells where a file of a package belongs in the unpacked kernel.
func place(name string) (string, bool) {
	name = path.Clean("/" + name)[1:]
	name = strings.TrimPrefix(name, "usr/")
	folder, file := path.Split(name)
	switch {
	case folder == "boot/" && strings.HasPrefix(file, "vmlinuz-"):
		return "vmlinuz", true
	case folder == "boot/" && strings.HasPrefix(file, "config-"):
		return "config", true
	}
	within, ok := strings.CutPrefix(name, "lib/modules/")
	if !ok {
		return "", false
	}
	switch _, file, _ := strings.Cut(within, "/"); file {
	case "":
		return "", false
	case "vmlinuz", "config":
		return file, true
	}
	return name, true
}

func (u *unpacker) write(name string, content io.Reader) error {
	if err := u.folder.MkdirAll(path.Dir(name), 0o755); err != nil {
		return writeError(u.folder.Name(), err)
	}
	file, err := u.folder.Create(name)
	if err != nil {
		return writeError(u.folder.Name(), err)
	}
	read := &source{r: content}
	_, err = io.Copy(file, read)
	closing := file.Close()
	switch {
	case read.err != nil:
		return fmt.Errorf("%q: %w", name, read.err)
	case err != nil:
		return writeError(u.folder.Name(), err)
	case closing != nil:
		return writeError(u.folder.Name(), closing)
	}
	return nil
}

// unpackedImage describes the kernel that has been unpacked into folder.
func unpackedImage(folder string) (kernel.Image, error) {
	modules := filepath.Join(folder, "lib", "modules")
	releases, err := os.ReadDir(modules)
	if errors.Is(err, fs.ErrNotExist) {
		return kernel.Image{}, errors.New("it holds no modules")
	}
	if err != nil {
		return kernel.Image{}, fmt.Errorf("look for its modules: %w", err)
	}
	if len(releases) != 1 {
		return kernel.Image{}, fmt.Errorf("it holds the modules of %d kernels, not of one", len(releases))
	}
	if !kernel.IsRelease(releases[0].Name()) {
		return kernel.Image{}, fmt.Errorf("it holds modules of %q, which is no kernel's release", releases[0].Name())
	}
	vmlinuz := filepath.Join(folder, "vmlinuz")
	if !exists(vmlinuz) {
		return kernel.Image{}, errors.New("it holds no vmlinuz")
	}
	image := kernel.Image{
		Release: releases[0].Name(),
		Vmlinuz: vmlinuz,
		Modules: filepath.Join(modules, releases[0].Name()),
	}
	if config := filepath.Join(folder, "config"); exists(config) {
		if image.Options, err = kernel.ReadConfig(config); err != nil {
			return kernel.Image{}, err
		}
	}
	if !exists(filepath.Join(image.Modules, "modules.builtin")) {
		return kernel.Image{}, errors.New("it holds no modules.builtin, the list of what is built in")
	}
	return image, nil
}
