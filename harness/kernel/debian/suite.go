package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/kernel/internal/decompress"
)

// A suite is the kernel packages of a suite and of its companions, the suites
// that update it.
type suite struct {
	name     string
	arch     kernel.Arch
	packages index
	// notes are what the user should know of the indices that this comes from.
	notes []string
}

// suite reads a suite's indices.
func (r *reader) suite(ctx context.Context, name string) (suite, error) {
	main, err := r.mainRelease(ctx, name)
	var failed *mirrorsError
	if errors.As(err, &failed) && failed.all(isRefusal) {
		return suite{}, fmt.Errorf("no mirror has debian/%s; suites known to exist: %s; "+
			"an old one may have moved to the archive of old releases: %w", name, strings.Join(knownSuites, " "), failed)
	}
	if err != nil {
		return suite{}, err
	}
	names := companions(main.release)
	read := make([]suite, len(names)+1)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		read[0], err = r.packages(ctx, name, main)
		return err
	})
	for i, companion := range names {
		group.Go(func() (err error) {
			read[i+1], err = r.companion(ctx, companion, main)
			if err != nil {
				return fmt.Errorf("get the updates of debian/%s: %w", name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return suite{}, err
	}
	all := suite{name: name, arch: r.arch}
	for _, part := range read {
		all.packages = append(all.packages, part.packages...)
		all.notes = append(all.notes, part.notes...)
	}
	return all, nil
}

const securitySuffix = "-security"

// companions are the suites that apt's sources name beside a suite to have its
// updates. Suites with a dash in their name are companions themselves, or are
// not updated by any.
func companions(main *release) []string {
	if strings.Contains(main.Codename, "-") {
		return nil
	}
	return []string{main.Codename + securitySuffix, main.Codename + "-updates"}
}

// companion reads a suite that updates another one. There need not be one. But
// where there is one, or was one for security, it is an error that its index cannot
// be had: a kernel would be tested that nobody should run any more.
func (r *reader) companion(ctx context.Context, name string, main verified) (suite, error) {
	mirrors := main.mirrors
	security := strings.HasSuffix(name, securitySuffix)
	if security {
		mirrors = securityMirrors(mirrors)
	}
	found, err := r.release(ctx, name, mirrors)
	var failed *mirrorsError
	if errors.As(err, &failed) && failed.all(isAbsent) {
		if security && r.remembers(name) {
			return suite{}, fmt.Errorf("there was a debian/%s before; remove %s to do without it: %w",
				name, r.entry("releases", name), failed)
		}
		if err := r.remember(name, nil); err != nil {
			return suite{}, err
		}
		err = errNone
	}
	if errors.Is(err, errNone) {
		none := suite{name: name}
		// Only what has been released, and so has a version, must have it.
		if security && main.Version != "" {
			none.notes = []string{"no mirror has debian/" + name + ", the kernel may lack security updates"}
		}
		return none, nil
	}
	if err != nil {
		return suite{}, err
	}
	return r.packages(ctx, name, found)
}

// packagesFile is the index of the packages of the component that kernels are
// in, below dists/SUITE.
func packagesFile(arch kernel.Arch) string { return "main/binary-" + string(arch) + "/Packages.xz" }

// packages reads the kernel packages in the index that rel vouches for.
func (r *reader) packages(ctx context.Context, name string, rel verified) (suite, error) {
	file := packagesFile(r.arch)
	want, ok := rel.Files[file]
	if !ok {
		return suite{}, fmt.Errorf("debian/%s has no packages for %s: its index does not list %s", name, r.arch, file)
	}
	folder := r.entry("packages", want.SHA256+extractForm)
	err := produce(ctx, folder, func(partial string) error {
		return r.fetchPackages(ctx, remoteFile{
			mirrors: rel.mirrors,
			path:    packagesPath(path.Join("dists", name, file), rel.release, want),
			name:    path.Join(name, file),
			digest:  want,
		}, partial)
	})
	if err != nil {
		return suite{}, fmt.Errorf("get the packages of debian/%s: %w", name, err)
	}
	packages, err := readPackages(filepath.Join(folder, extractFile), r.arch)
	if err != nil {
		return suite{}, fmt.Errorf("the packages of debian/%s in %s are damaged: %w; remove that folder", name, folder, err)
	}
	for i := range packages {
		packages[i].mirrors = rel.mirrors
	}
	return suite{name: name, packages: packages, notes: rel.notes}, nil
}

func readPackages(path string, arch kernel.Arch) (index, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parsePackages(bytes.NewReader(text), arch)
}

// packagesPath is where a mirror has the index: under its hash if it can be,
// because then a mirror that is just being updated does not mix two of them up.
func packagesPath(file string, rel *release, want digest) string {
	if rel.ByHash {
		return path.Join(path.Dir(file), "by-hash", "SHA256", want.SHA256)
	}
	return file
}

// extractForm ends the name of that folder. It changes with what is extracted, so that
// versions of this package that extract something else can share a cache.
const extractForm = ".1"

// extractFile is what is kept of a Packages index in its folder in the cache.
const extractFile = "kernels"

// fetchPackages downloads an index and leaves in folder only what it says of
// kernels.
func (r *reader) fetchPackages(ctx context.Context, f remoteFile, folder string) error {
	local, err := r.download(ctx, f, folder)
	if err != nil {
		return err
	}
	defer os.Remove(local)
	compressed, err := os.Open(local)
	if err != nil {
		return err
	}
	defer compressed.Close()
	text, err := decompress.Reader(f.name, compressed)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	defer text.Close()
	var extract bytes.Buffer
	if err := extractKernels(&extract, text); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if err := os.WriteFile(filepath.Join(folder, extractFile), extract.Bytes(), 0o644); err != nil {
		return writeError(folder, err)
	}
	return nil
}
