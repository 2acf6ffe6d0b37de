package debian

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"github.com/finwait/finwait/harness/kernel"
)

// A packageFile is a package that nobody vouches for: a file on this machine's disk.
type packageFile struct {
	path string
	digest
	version string // that it says of itself
}

// resolveFiles returns the kernel that the files of a reference to Packages hold
// together. It is unpacked into the cache unless it is there.
func (a *Archive) resolveFiles(ctx context.Context, ref kernel.Reference) (kernel.Image, error) {
	fail := func(err error) (kernel.Image, error) { return kernel.Image{}, fmt.Errorf("%v: %w", ref, err) }
	cache, err := a.cacheFolder()
	if err != nil {
		return fail(err)
	}
	var files []packageFile
	var digests []digest
	for _, path := range ref.Files() {
		file, err := readPackageFile(path)
		if err != nil {
			return fail(err)
		}
		files = append(files, file)
		digests = append(digests, file.digest)
	}
	folder := filepath.Join(cache, "debian", "kernels", fmt.Sprintf("files_%.16x", unpackedSum(digests)))
	err = produce(ctx, folder, func(partial string) error { return a.unpackFiles(ctx, files, partial) })
	if err != nil {
		return fail(err)
	}
	image, err := unpackedImage(folder)
	if err != nil {
		return fail(fmt.Errorf("the unpacked kernel in %s is damaged: %w; remove that folder", folder, err))
	}
	if image.Arch, err = kernel.Identify(image.Vmlinuz); err != nil {
		return fail(err)
	}
	image.Source = ref.String()
	image.Version = files[0].version
	for _, file := range files {
		image.Notes = append(image.Notes, fmt.Sprintf("no signed index vouches for the file %s, sha256 %s", file.path, file.SHA256))
	}
	return image, nil
}

// fileVersion is deb-version(7), of which a file that nobody vouches for may have any.
var fileVersion = regexp.MustCompile(`^[0-9A-Za-z.+~:-]+$`)

// readPackageFile reads what is to be known of a package before it is unpacked.
func readPackageFile(path string) (packageFile, error) {
	deb, err := kernel.Open(path)
	if errors.Is(err, kernel.ErrNotAFile) {
		return packageFile{}, fmt.Errorf("%w: a folder into which packages were unpacked is dir:%s", err, path)
	}
	if err != nil {
		return packageFile{}, err
	}
	defer deb.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, deb)
	if err != nil {
		return packageFile{}, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := deb.Seek(0, io.SeekStart); err != nil {
		return packageFile{}, fmt.Errorf("%s: %w", path, err)
	}
	control, err := readControl(deb)
	if err != nil {
		return packageFile{}, fmt.Errorf("%s is no package of Debian's kind: %w", path, err)
	}
	version := control["version"]
	if version != "" && !fileVersion.MatchString(version) {
		return packageFile{}, fmt.Errorf("%s is no package of Debian's kind: its control file has the version %.64q", path, version)
	}
	return packageFile{path, digest{size, hex.EncodeToString(sum.Sum(nil))}, version}, nil
}

// maxControl bounds the file in which a package describes itself, in bytes.
const maxControl = 1 << 20

// readControl reads the control file of a package, deb-control(5).
func readControl(deb io.Reader) (fields paragraph, err error) {
	err = readMember(deb, "control.tar", func(content io.Reader) error {
		files := tar.NewReader(content)
		for {
			header, err := files.Next()
			if errors.Is(err, io.EOF) {
				return errors.New("it holds no control file")
			}
			if err != nil {
				return err
			}
			if path.Clean(header.Name) != "control" {
				continue
			}
			for fields, err = range paragraphs(io.LimitReader(files, maxControl)) {
				return err
			}
			return errors.New("its control file is empty")
		}
	})
	return fields, err
}

// unpackFiles unpacks packages into one folder, and checks that they hold a kernel.
func (a *Archive) unpackFiles(ctx context.Context, files []packageFile, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return writeError(folder, err)
	}
	defer root.Close()
	unpack := &unpacker{folder: root, left: maxUnpacked}
	for _, file := range files {
		if err := a.unpackFile(ctx, file.path, file.digest, unpack); err != nil {
			return err
		}
	}
	image, err := unpackedImage(folder)
	if err != nil {
		return fmt.Errorf("%w: a kernel may be in several packages, name all of them, with commas between", err)
	}
	if _, err := kernel.Identify(image.Vmlinuz); err != nil {
		return fmt.Errorf("its vmlinuz: %w", errors.Unwrap(err)) // without the path, which is gone by then
	}
	release, err := kernel.ReleaseOf(image.Vmlinuz)
	if err == nil && release != "" && release != image.Release {
		err = fmt.Errorf("the kernel in it is %s, and the modules are of %s: name packages of one kernel", release, image.Release)
	}
	return err
}

// unpackFile unpacks a package that is on this machine's disk, and checks that it still
// is the one that was read: the cache has what is unpacked by what it was made of.
func (a *Archive) unpackFile(ctx context.Context, path string, want digest, unpack *unpacker) error {
	name := filepath.Base(path)
	deb, err := kernel.Open(path)
	if err != nil {
		return err
	}
	defer deb.Close()
	report := func(done int64) {
		a.progress(Progress{Step: Unpack, File: name, Done: done, Total: want.Size})
	}
	sum := sha256.New()
	content := io.TeeReader(&meter{deb, 0, report}, sum)
	if err := unpack.unpack(ctx, content); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != want.SHA256 {
		return fmt.Errorf("unpack %s: it was replaced while it was read: run it again", name)
	}
	report(want.Size)
	return nil
}
