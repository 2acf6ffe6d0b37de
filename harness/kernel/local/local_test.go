package local

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

// bzImage is an x86 setup header that says of which release the kernel is.
func bzImage(release string) string {
	image := make([]byte, 2*512)
	image[0x1f1] = 1                                     // setup_sects
	copy(image[0x202:], "HdrS")                          // header
	binary.LittleEndian.PutUint16(image[0x206:], 0x020c) // version
	image[0x236] = 1                                     // xloadflags: XLF_KERNEL_64
	if release != "" {
		binary.LittleEndian.PutUint16(image[0x20e:], 0x100) // kernel_version
		copy(image[0x300:], release+" (someone@somewhere) #1 SMP\x00")
	}
	return string(image)
}

// arm64Image is the header of an arm64 kernel.
func arm64Image() string {
	image := make([]byte, 64)
	copy(image[0x38:], "ARM\x64")
	return string(image)
}

// lay writes files into a folder; a name that ends in a slash is a folder's.
func lay(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		below := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			below = path
		}
		if err := os.MkdirAll(below, 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		// arg is the argument, with ROOT for the folder; the paths of want are
		// relative to it.
		arg  string
		want kernel.Image
	}{
		"a package of Debian's": {
			map[string]string{
				"boot/vmlinuz-6.1.0-cloud-amd64": bzImage("6.1.0-cloud-amd64"), "boot/config-6.1.0-cloud-amd64": "CONFIG_NET=y\n",
				"boot/System.map-6.1.0-cloud-amd64": "", "lib/modules/6.1.0-cloud-amd64/modules.builtin": "",
			},
			"dir:ROOT",
			kernel.Image{
				Release: "6.1.0-cloud-amd64", Arch: kernel.AMD64, Vmlinuz: "boot/vmlinuz-6.1.0-cloud-amd64",
				Modules: "lib/modules/6.1.0-cloud-amd64", Options: map[string]byte{"CONFIG_NET": 'y'},
			},
		},
		"a package of Fedora's": {
			map[string]string{
				"lib/modules/6.17.1-300.fc43.aarch64/vmlinuz": arm64Image(), "lib/modules/6.17.1-300.fc43.aarch64/config": "",
				"lib/modules/6.17.1-300.fc43.aarch64/modules.builtin": "", "boot/": "",
			},
			"dir:ROOT",
			kernel.Image{
				Release: "6.17.1-300.fc43.aarch64", Arch: kernel.ARM64, Vmlinuz: "lib/modules/6.17.1-300.fc43.aarch64/vmlinuz",
				Modules: "lib/modules/6.17.1-300.fc43.aarch64", Options: map[string]byte{},
			},
		},
		"a package of today's Debian": {
			map[string]string{"usr/lib/modules/7.2/vmlinuz": bzImage("7.2"), "usr/lib/modules/7.2/modules.builtin": ""},
			"dir:ROOT",
			kernel.Image{Release: "7.2", Arch: kernel.AMD64, Vmlinuz: "usr/lib/modules/7.2/vmlinuz", Modules: "usr/lib/modules/7.2"},
		},
		"one of two that has modules": {
			map[string]string{"boot/vmlinuz-to the rescue": bzImage(""), "boot/vmlinuz-6.1": bzImage("6.1"), "lib/modules/6.1/modules.builtin": ""},
			"dir:ROOT",
			kernel.Image{Release: "6.1", Arch: kernel.AMD64, Vmlinuz: "boot/vmlinuz-6.1", Modules: "lib/modules/6.1"},
		},
		"a file": {
			map[string]string{"bzImage": bzImage("6.1")},
			"image:ROOT/bzImage",
			kernel.Image{Release: "6.1", Arch: kernel.AMD64, Vmlinuz: "bzImage"},
		},
		"a file for arm64 with modules": {
			map[string]string{"Image": arm64Image(), "lib/modules/6.1/modules.builtin": ""},
			"image:ROOT/Image,modules=ROOT/lib/modules/6.1",
			kernel.Image{Release: "6.1", Arch: kernel.ARM64, Vmlinuz: "Image", Modules: "lib/modules/6.1"},
		},
		"a file with modules in a folder of another name": {
			map[string]string{"Image": arm64Image(), "all modules/modules.builtin": ""},
			"image:ROOT/Image,modules=ROOT/all modules",
			kernel.Image{Arch: kernel.ARM64, Vmlinuz: "Image", Modules: "all modules"},
		},
		"a build": {
			map[string]string{
				".config": "CONFIG_X86_64=y\nCONFIG_VETH=m\n", "arch/x86/boot/bzImage": bzImage("6.1"), kernel.BuiltRelease: "6.1\n",
				"modules.builtin": "", "modules.order": "drivers/net/veth.o\n",
			},
			"build:ROOT",
			kernel.Image{Release: "6.1", Arch: kernel.AMD64, Vmlinuz: "arch/x86/boot/bzImage", Modules: ".", Options: map[string]byte{"CONFIG_X86_64": 'y', "CONFIG_VETH": 'm'}},
		},
		"a build for arm64 whose modules were installed": {
			map[string]string{
				".config": "CONFIG_ARM64=y\nCONFIG_VETH=m\n", "arch/arm64/boot/Image": arm64Image(), "arch/x86/boot/bzImage": "old",
				kernel.BuiltRelease: "6.1+\n", "mod/lib/modules/6.1+/modules.builtin": "", "modules.builtin": "", "modules.order": "",
			},
			"build:ROOT",
			kernel.Image{Release: "6.1+", Arch: kernel.ARM64, Vmlinuz: "arch/arm64/boot/Image", Modules: "mod/lib/modules/6.1+", Options: map[string]byte{"CONFIG_ARM64": 'y', "CONFIG_VETH": 'm'}},
		},
		"a build without modules": {
			map[string]string{".config": "CONFIG_X86_64=y\n", "arch/x86/boot/bzImage": bzImage("6.1"), kernel.BuiltRelease: "6.1\n"},
			"build:ROOT",
			kernel.Image{Release: "6.1", Arch: kernel.AMD64, Vmlinuz: "arch/x86/boot/bzImage", Options: map[string]byte{"CONFIG_X86_64": 'y'}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			root := lay(t, c.files)
			arg := strings.ReplaceAll(c.arg, "ROOT", root)
			ref, err := kernel.Parse(arg)
			g.Expect(err).NotTo(HaveOccurred())
			image, err := Resolve(ref)
			g.Expect(err).NotTo(HaveOccurred())
			c.want.Source = arg
			for _, path := range []*string{&c.want.Vmlinuz, &c.want.Modules} {
				if *path != "" {
					*path = filepath.Join(root, *path)
				}
			}
			g.Expect(image).To(Equal(c.want))
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	const x86, builtin = "CONFIG_X86_64=y\n", "modules.builtin"
	for name, c := range map[string]struct {
		files map[string]string
		arg   string
		want  string
	}{
		"no folder":        {nil, "dir:ROOT/x", "dir:ROOT/x: stat ROOT/x: no such file or directory"},
		"no folder at all": {map[string]string{"x": ""}, "dir:ROOT/x", "dir:ROOT/x: ROOT/x is not a folder"},
		"nothing":          {nil, "dir:ROOT", "dir:ROOT: it holds no kernel, neither boot/vmlinuz-RELEASE nor lib/modules/RELEASE/vmlinuz, only nothing: name the folder"},
		"no kernel":        {map[string]string{"boot/": "", "etc/": ""}, "dir:ROOT", "lib/modules/RELEASE/vmlinuz, only boot, etc: name the folder"},
		"two kernels": {
			map[string]string{"boot/vmlinuz-1": "", "lib/modules/1/": "", "boot/vmlinuz-2": "", "lib/modules/2/": ""},
			"dir:ROOT",
			"dir:ROOT: it holds 2 kernels, 1, 2: name one of them, such as image:ROOT/boot/vmlinuz-1,modules=ROOT/lib/modules/1",
		},
		"no modules": {
			map[string]string{"boot/vmlinuz-1": bzImage("1")},
			"dir:ROOT",
			"dir:ROOT: it holds ROOT/boot/vmlinuz-1, and no lib/modules folder of that release: unpack the package with its modules there, too; if all is built in, name it image:ROOT/boot/vmlinuz-1",
		},
		"a damaged kernel": {
			map[string]string{"boot/vmlinuz-1": bzImage("1")[:600], "lib/modules/1/": ""},
			"dir:ROOT",
			"dir:ROOT: ROOT/boot/vmlinuz-1: it was cut short: it has 600 bytes of at least 1024",
		},
		"a build as a folder":       {map[string]string{kernel.BuiltRelease: "6.1"}, "dir:ROOT", "dir:ROOT: a kernel was built in it: name it build:ROOT"},
		"no file":                   {nil, "image:ROOT/x", "image:ROOT/x: open the kernel: open ROOT/x: no such file or directory"},
		"no kernel's file":          {map[string]string{"x": "text"}, "image:ROOT/x", "image:ROOT/x: ROOT/x: it is neither an x86 bzImage nor an arm64 Image"},
		"modules that are nowhere":  {map[string]string{"x": bzImage("1")}, "image:ROOT/x,modules=ROOT/y", "modules: stat ROOT/y: no such file or directory"},
		"modules that are a file":   {map[string]string{"x": bzImage("1")}, "image:ROOT/x,modules=ROOT/x", "modules: ROOT/x is not a folder"},
		"modules in another folder": {map[string]string{"x": bzImage("1"), "m/1/" + builtin: ""}, "image:ROOT/x,modules=ROOT/m", "modules: ROOT/m is no lib/modules/RELEASE folder of a kernel: it has no modules.builtin, only 1"},
		"no build":                  {map[string]string{"Makefile": ""}, "build:ROOT", "build:ROOT: no kernel is built in it: it has no .config, only Makefile: name the folder in which make was run, or its O="},
		"not built":                 {map[string]string{".config": x86}, "build:ROOT", "build:ROOT: no kernel has been built in it: there is no arch/x86/boot/bzImage: run make bzImage"},
		"not built for arm64":       {map[string]string{".config": "CONFIG_ARM64=y\n"}, "build:ROOT", "there is no arch/arm64/boot/Image: run make Image"},
		"for another architecture":  {map[string]string{".config": "CONFIG_RISCV=y\n"}, "build:ROOT", "its .config is of neither x86-64 (CONFIG_X86_64) nor arm64 (CONFIG_ARM64)"},
		"a build that broke off":    {map[string]string{".config": x86, "arch/x86/boot/bzImage": bzImage("1")}, "build:ROOT", "kernel.release: no such file or directory: run make again"},
		"a build without its modules": {
			map[string]string{".config": x86 + "CONFIG_VETH=m\nCONFIG_BRIDGE=m\n", "arch/x86/boot/bzImage": bzImage("1"), kernel.BuiltRelease: "1\n", builtin: ""},
			"build:ROOT", "build:ROOT: its .config makes modules of 2 options, such as CONFIG_BRIDGE, and they are not built: run make modules",
		},
		"a build without the list": {
			map[string]string{".config": x86 + "CONFIG_VETH=m\n", "arch/x86/boot/bzImage": bzImage("1"), kernel.BuiltRelease: "1\n", "modules.order": ""},
			"build:ROOT", "build:ROOT: the build is not complete: it has modules, and no modules.builtin: run make again",
		},
		"a build of no release": {
			map[string]string{".config": x86, "arch/x86/boot/bzImage": bzImage("1"), kernel.BuiltRelease: "1\x1b[2J\n"},
			"build:ROOT", `include/config/kernel.release: "1\x1b[2J" is no kernel's release`,
		},
		"a folder of no release": {
			map[string]string{"boot/vmlinuz-1\x1b[2J": bzImage("1"), "lib/modules/1\x1b[2J/" + builtin: ""},
			"dir:ROOT", `dir:ROOT: "1\x1b[2J" is no kernel's release: name the folder`,
		},
		"a kernel of no release": {
			map[string]string{"boot/vmlinuz-1\x1b[2J": bzImage("1")}, "dir:ROOT", `dir:ROOT: "1\x1b[2J" is no kernel's release: name the folder`,
		},
		"a name for no terminal": {map[string]string{"\x1b[2J": "", "\xff": ""}, "dir:ROOT", `only "\x1b[2J", "\xff": name the folder`},
		"not on the disk":        {nil, "debian/trixie", `"debian/trixie" names no kernel on this machine's disk`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			root := lay(t, c.files)
			ref, err := kernel.Parse(strings.ReplaceAll(c.arg, "ROOT", root))
			g.Expect(err).NotTo(HaveOccurred())
			image, err := Resolve(ref)
			g.Expect(err).To(MatchError(ContainSubstring(strings.ReplaceAll(c.want, "ROOT", root))))
			g.Expect(image).To(Equal(kernel.Image{}))
		})
	}
}

// A folder's name is no pattern.
func TestResolveInAFolderWithAStar(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := lay(t, map[string]string{"[a]*/boot/vmlinuz-1": bzImage("1"), "[a]*/lib/modules/1/": ""})
	image, err := Resolve(kernel.Reference{Origin: kernel.Tree, Name: filepath.Join(root, "[a]*")})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(image.Release).To(Equal("1"))
}
