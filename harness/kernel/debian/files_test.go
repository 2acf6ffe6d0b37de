package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

// bzImage is an x86 setup header that says of which release the kernel is.
func bzImage(release string) string {
	image := make([]byte, 2*512)
	image[0x1f1] = 1                                         // setup_sects
	copy(image[0x202:], "HdrS")                              // header
	binary.LittleEndian.PutUint16(image[0x20e:], 0x100)      // kernel_version
	copy(image[0x300:], release+" (someone) #1 SMP\x00\x00") // what that leads to
	return string(image)
}

// writeDeb writes a package whose members are compressed in the way that the ending
// says.
func writeDeb(t *testing.T, ending string, files map[string]string) (path string) {
	t.Helper()
	control := tarOf(t, map[string]string{"./control": "Package: linux-image\nVersion: 6.8.0-31.31\nArchitecture: amd64\n"})
	path = filepath.Join(t.TempDir(), "linux.deb")
	deb := makeAr(
		arMember{"debian-binary", "2.0\n"},
		arMember{"control.tar" + ending, pack(t, ending, control)},
		arMember{"data.tar" + ending, pack(t, ending, tarOf(t, files))},
	)
	if err := os.WriteFile(path, deb, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(files[name])), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func pack(t *testing.T, ending string, content []byte) string {
	t.Helper()
	var packed bytes.Buffer
	var w io.WriteCloser
	switch ending {
	case ".xz":
		return string(compress(t, content))
	case ".zst":
		var err error
		if w, err = zstd.NewWriter(&packed); err != nil {
			t.Fatal(err)
		}
	case ".gz":
		w = gzip.NewWriter(&packed)
	default:
		return string(content)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// The two packages of a kernel as Ubuntu and, in other places, Debian have them.
var (
	imageFiles   = map[string]string{"./boot/vmlinuz-6.8.0-31-generic": bzImage("6.8.0-31-generic")}
	modulesFiles = map[string]string{
		"./boot/config-6.8.0-31-generic":                        "CONFIG_INET=y\n",
		"./lib/modules/6.8.0-31-generic/modules.builtin":        "kernel/net/ipv4/tcp_cubic.ko\n",
		"./lib/modules/6.8.0-31-generic/kernel/net/veth.ko.zst": "veth",
	}
)

// offline is an archive of which nobody must ask anything.
func offline(t *testing.T) *Archive {
	t.Helper()
	return &Archive{Mirrors: []string{"http://127.0.0.1:1/"}, cache: t.TempDir()}
}

func packagesRef(paths ...string) kernel.Reference {
	return kernel.Reference{Origin: kernel.Packages, Name: strings.Join(paths, ",")}
}

func TestResolvePackageFiles(t *testing.T) {
	t.Parallel()
	for _, ending := range []string{".xz", ".zst", ".gz", ""} {
		t.Run("data.tar"+ending, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			a := offline(t)
			ref := packagesRef(writeDeb(t, ending, imageFiles), writeDeb(t, ending, modulesFiles))
			image, err := a.Resolve(t.Context(), ref)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(image.Source).To(Equal(ref.String()))
			g.Expect(image.Release).To(Equal("6.8.0-31-generic"))
			g.Expect(image.Version).To(Equal("6.8.0-31.31"))
			g.Expect(image.Arch).To(Equal(kernel.AMD64))
			g.Expect(image.Options).To(Equal(map[string]byte{"CONFIG_INET": 'y'}))
			g.Expect(os.ReadFile(filepath.Join(image.Modules, "kernel/net/veth.ko.zst"))).To(BeEquivalentTo("veth"))
			g.Expect(image.Notes).To(HaveLen(2))
			for i, path := range ref.Files() {
				g.Expect(image.Notes[i]).To(MatchRegexp("no signed index vouches for the file " + path + ", sha256 [0-9a-f]{64}"))
			}
			finished(t, a)

			// The form in which it lies there is part of what it is found by.
			sum := sha256.New()
			fmt.Fprintln(sum, unpackedForm)
			for _, path := range ref.Files() {
				deb, err := os.ReadFile(path)
				g.Expect(err).NotTo(HaveOccurred())
				fmt.Fprintf(sum, "%x\n", sha256.Sum256(deb))
			}
			g.Expect(filepath.Base(filepath.Dir(image.Vmlinuz))).To(Equal(fmt.Sprintf("files_%.16x", sum.Sum(nil))))

			// What is unpacked is found by what it was made of.
			again, err := a.Resolve(t.Context(), ref)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(again).To(Equal(image))
			other, err := a.Resolve(t.Context(), packagesRef(writeDeb(t, ending, union(imageFiles, modulesFiles))))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(other.Vmlinuz).NotTo(Equal(image.Vmlinuz))
		})
	}
}

// What is unpacked is what was read before, and nothing that took its place.
func TestUnpackAReplacedPackageFile(t *testing.T) {
	t.Parallel()
	whole := union(imageFiles, modulesFiles)
	for name, replace := range map[string]func(old, path string) error{
		"another file": os.Rename,
		"another content": func(old, path string) error {
			content, err := os.ReadFile(old)
			if err != nil {
				return err
			}
			return os.WriteFile(path, content, 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			path := writeDeb(t, ".xz", whole)
			file, err := readPackageFile(path)
			g.Expect(err).NotTo(HaveOccurred())
			other := union(whole, map[string]string{"./boot/config-6.8.0-31-generic": "CONFIG_INET=m\n"})
			g.Expect(replace(writeDeb(t, ".xz", other), path)).To(Succeed())
			err = offline(t).unpackFiles(t.Context(), []packageFile{file}, t.TempDir())
			g.Expect(err).To(MatchError("unpack linux.deb: it was replaced while it was read: run it again"))
		})
	}
}

func union(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

func TestResolvePackageFilesRefuses(t *testing.T) {
	t.Parallel()
	write := func(content []byte) string {
		path := filepath.Join(t.TempDir(), "linux.deb")
		NewWithT(t).Expect(os.WriteFile(path, content, 0o644)).To(Succeed())
		return path
	}
	control := func(fields string) []byte {
		return makeAr(arMember{"control.tar", string(tarOf(t, map[string]string{"./control": fields}))})
	}
	image, modules := writeDeb(t, ".xz", imageFiles), writeDeb(t, ".xz", modulesFiles)
	whole, err := os.ReadFile(modules)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	folder := t.TempDir()
	const all = "a kernel may be in several packages, name all of them, with commas between"
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		ref  kernel.Reference
		want string
	}{
		"no file":            {t.Context(), packagesRef("/nowhere.deb"), "deb:/nowhere.deb: open /nowhere.deb: no such file or directory"},
		"a folder":           {t.Context(), packagesRef(folder), folder + ": it is not a file: a folder into which packages were unpacked is dir:" + folder},
		"text":               {t.Context(), packagesRef(write([]byte("<html>no</html>"))), "is no package of Debian's kind: not an ar archive"},
		"an archive":         {t.Context(), packagesRef(write(makeAr(arMember{"x.o", ""}))), "is no package of Debian's kind: it has no control.tar"},
		"an empty control":   {t.Context(), packagesRef(write(makeAr(arMember{"control.tar", string(tarOf(t, nil))}))), "control.tar: it holds no control file"},
		"a damaged control":  {t.Context(), packagesRef(write(makeAr(arMember{"control.tar.zst", "garbage"}))), "control.tar.zst: "},
		"an odd version":     {t.Context(), packagesRef(write(control("Package: x\nVersion: 6.8\x1b[2J\n"))), `its control file has the version "6.8\x1b[2J"`},
		"an odd member":      {t.Context(), packagesRef(write(makeAr(arMember{"control.tar\x1b[2J", ""}))), `a member has the name "control.tar\x1b[2J"`},
		"an odd release":     {t.Context(), packagesRef(image, writeDeb(t, ".xz", map[string]string{"./lib/modules/6.9\x1b[2J/modules.builtin": ""})), `it holds modules of "6.9\x1b[2J", which is no kernel's release`},
		"cut short":          {t.Context(), packagesRef(image, write(whole[:len(whole)-100])), "unpack linux.deb: data.tar.xz: "},
		"only the kernel":    {t.Context(), packagesRef(image), "it holds no modules: " + all},
		"only the modules":   {t.Context(), packagesRef(modules), "it holds no vmlinuz: " + all},
		"another package":    {t.Context(), packagesRef(writeDeb(t, ".xz", map[string]string{"./usr/bin/bash": ""})), "it holds no modules"},
		"two kernels":        {t.Context(), packagesRef(image, modules, writeDeb(t, ".xz", map[string]string{"./lib/modules/6.9/modules.builtin": ""})), "it holds the modules of 2 kernels, not of one"},
		"another kernel's":   {t.Context(), packagesRef(modules, writeDeb(t, ".xz", map[string]string{"./boot/vmlinuz-6.9": bzImage("6.9")})), "the kernel in it is 6.9, and the modules are of 6.8.0-31-generic: name packages of one kernel"},
		"a damaged kernel":   {t.Context(), packagesRef(modules, writeDeb(t, ".xz", map[string]string{"./boot/vmlinuz-6.9": "text"})), "vmlinuz: it is neither an x86 bzImage nor an arm64 Image"},
		"while it is to end": {cancelled, packagesRef(image, modules), "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			a := offline(t)
			image, err := a.Resolve(c.ctx, c.ref)
			g.Expect(err).To(MatchError(And(HavePrefix(fmt.Sprintf("%v: ", c.ref)), ContainSubstring(c.want))))
			g.Expect(image).To(Equal(kernel.Image{}))
			noKernel(t, a)
		})
	}
}

func FuzzReadControl(f *testing.F) {
	f.Add(makeAr(arMember{"debian-binary", "2.0\n"}, arMember{"control.tar", "x"}))
	f.Fuzz(func(t *testing.T, deb []byte) {
		if fields, err := readControl(bytes.NewReader(deb)); err == nil && len(fields) == 0 {
			t.Errorf("%q: a control file without fields", deb)
		}
	})
}
