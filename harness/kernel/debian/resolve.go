package debian

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path"

	"github.com/finwait/finwait/harness/kernel"
)

// metapackage depends on the newest cloud kernel of a suite. The cloud flavour
// has what a virtual machine needs and is a tenth of the size of the general one.
func metapackage(arch kernel.Arch) string { return "linux-image-cloud-" + string(arch) }

// Resolve returns the kernel that a reference names: a DebianSuite, a DebianVersion,
// or Packages, for which nothing is asked of a mirror. The index is read anew each
// time; the kernel is downloaded and unpacked into the cache unless it is there.
func (a *Archive) Resolve(ctx context.Context, ref kernel.Reference) (kernel.Image, error) {
	if ref.Origin == kernel.Packages {
		return a.resolveFiles(ctx, ref)
	}
	if ref.Origin != kernel.DebianSuite && ref.Origin != kernel.DebianVersion {
		return kernel.Image{}, fmt.Errorf("%q names no kernel of Debian", ref)
	}
	r, err := a.reader(cmp.Or(ref.Arch, kernel.Native()))
	if err != nil {
		return kernel.Image{}, err
	}
	var stale error // what is wrong with the first mirror's index tells more than that the others have none
	for {
		image, err := r.resolve(ctx, ref)
		if err == nil {
			return image, nil
		}
		if stale == nil {
			stale = err
		}
		next := r.past(err)
		if next == nil {
			return kernel.Image{}, stale
		}
		r = next
	}
}

func (r *reader) resolve(ctx context.Context, ref kernel.Reference) (kernel.Image, error) {
	parts, notes, err := r.find(ctx, ref)
	if err != nil {
		return kernel.Image{}, err
	}
	for _, note := range notes {
		r.notice(note)
	}
	image, err := r.unpacked(ctx, parts)
	if err != nil {
		return kernel.Image{}, err
	}
	image.Source = ref.String()
	image.Arch = r.arch
	image.Notes = notes
	return image, nil
}

// find returns the packages that hold the kernel which a reference names, the one
// that is called after it first, and what the user should know of where they come
// from.
func (r *reader) find(ctx context.Context, ref kernel.Reference) (parts []pkg, notes []string, err error) {
	if ref.Origin == kernel.DebianVersion {
		return r.version(ctx, ref.Name)
	}
	s, err := r.suite(ctx, ref.Name)
	if err != nil {
		return nil, nil, err
	}
	parts, err = s.newest()
	return parts, s.notes, err
}

// newest returns the packages that hold the suite's newest cloud kernel, the one
// that is called after it first.
func (s suite) newest() ([]pkg, error) {
	newest := s.packages.newest(metapackage(s.arch))
	if newest == nil {
		return nil, fmt.Errorf("debian/%s has no cloud kernel: it has no package %s", s.name, metapackage(s.arch))
	}
	parts, err := s.packages.parts(newest)
	if err != nil {
		return nil, fmt.Errorf("debian/%s: %w", s.name, err)
	}
	return parts, nil
}

// unpackedForm is the number of what is made of a kernel's packages. It changes with
// what is unpacked and how it lies, so that versions of this package that do it in
// other ways can share a cache.
const unpackedForm = 1

// kernelFolder is where the cache has a kernel. The hash in its name changes
// with any change to the packages.
func (r *reader) kernelFolder(parts []pkg) string {
	var digests []digest
	for _, p := range parts {
		digests = append(digests, p.digest)
	}
	return r.entry("kernels", fmt.Sprintf("%s_%.8x", parts[0].version, unpackedSum(digests)))
}

// unpackedSum stands for what is made of some packages, in their order.
func unpackedSum(packages []digest) []byte {
	sum := sha256.New()
	fmt.Fprintln(sum, unpackedForm)
	for _, p := range packages {
		fmt.Fprintln(sum, p.SHA256)
	}
	return sum.Sum(nil)
}

// unpacked returns the kernel that is made of some packages.
func (r *reader) unpacked(ctx context.Context, parts []pkg) (kernel.Image, error) {
	folder := r.kernelFolder(parts)
	err := produce(ctx, folder, func(partial string) error {
		root, err := os.OpenRoot(partial)
		if err != nil {
			return writeError(partial, err)
		}
		defer root.Close()
		unpack := &unpacker{folder: root, left: maxUnpacked}
		for _, p := range parts {
			if err := r.unpackPackage(ctx, p, partial, unpack); err != nil {
				return fmt.Errorf("package %s %s: %w", p.name, p.version, err)
			}
		}
		if _, err := unpackedImage(partial); err != nil {
			return fmt.Errorf("package %s %s: %w", parts[0].name, parts[0].version, err)
		}
		return nil
	})
	if err != nil {
		return kernel.Image{}, err
	}
	image, err := unpackedImage(folder)
	if err != nil {
		return kernel.Image{}, fmt.Errorf("the unpacked kernel in %s is damaged: %w; remove that folder", folder, err)
	}
	image.Version = parts[0].version
	return image, nil
}

// unpackPackage downloads a package into folder, unpacks it and removes it.
func (a *Archive) unpackPackage(ctx context.Context, p pkg, folder string, unpack *unpacker) error {
	name := path.Base(p.file)
	local, err := a.download(ctx, remoteFile{mirrors: p.mirrors, path: p.file, name: name, digest: p.digest}, folder)
	if err != nil {
		return err
	}
	defer os.Remove(local)
	return a.unpackFile(ctx, local, p.digest, unpack)
}
