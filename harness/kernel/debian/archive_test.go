package debian

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ulikunitz/xz"

	"github.com/finwait/finwait/harness/kernel"
)

// A fakeArchive is a small archive of Debian on a loopback port: the main one at
// /debian, that of the security team at /debian-security.
type fakeArchive struct {
	t      *testing.T
	key    *openpgp.Entity
	server *httptest.Server
	// arch is what is published is for.
	arch kernel.Arch

	mu    sync.Mutex
	files map[string][]byte
	// special answers requests for some paths.
	special map[string]http.HandlerFunc
	// asked counts the requests for each path.
	asked map[string]int
}

func newFakeArchive(t *testing.T) *fakeArchive {
	f := &fakeArchive{
		t:       t,
		key:     newKey(t),
		arch:    kernel.AMD64,
		files:   make(map[string][]byte),
		special: make(map[string]http.HandlerFunc),
		asked:   make(map[string]int),
	}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func newKey(t *testing.T) *openpgp.Entity {
	t.Helper()
	return newKeyOf(t, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
}

func newKeyOf(t *testing.T, config *packet.Config) *openpgp.Entity {
	t.Helper()
	key, err := openpgp.NewEntity("Archive", "", "", config)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (f *fakeArchive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked[r.URL.Path]++
	content, ok := f.files[r.URL.Path]
	special := f.special[r.URL.Path]
	f.mu.Unlock()
	switch {
	case special != nil:
		special(w, r)
	case ok:
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content) // the client may have gone
	default:
		http.NotFound(w, r)
	}
}

// requests counts those for paths that contain part.
func (f *fakeArchive) requests(part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for path, count := range f.asked {
		if strings.Contains(path, part) {
			n += count
		}
	}
	return n
}

// path returns the one path that is served and contains part.
func (f *fakeArchive) path(part string) string {
	f.t.Helper()
	var found []string
	for path := range f.files {
		if strings.Contains(path, part) {
			found = append(found, path)
		}
	}
	if len(found) != 1 {
		f.t.Fatalf("%d files contain %q: %q", len(found), part, found)
	}
	return found[0]
}

// archive is an Archive that uses the fake one and a cache of its own.
func (f *fakeArchive) archive() *Archive {
	return &Archive{
		Mirrors: []string{f.server.URL + "/debian"},
		cache:   f.t.TempDir(),
		root:    fstest.MapFS{keyringFiles[0]: f.keyring(f.key)},
	}
}

// keyring is a file of public keys.
func (f *fakeArchive) keyring(owners ...*openpgp.Entity) *fstest.MapFile {
	f.t.Helper()
	var keys bytes.Buffer
	for _, key := range owners {
		if err := key.Serialize(&keys); err != nil {
			f.t.Fatal(err)
		}
	}
	return &fstest.MapFile{Data: keys.Bytes()}
}

// put gives the machine that an archive is used on a file.
func (a *Archive) put(name string, file *fstest.MapFile) {
	a.root.(fstest.MapFS)[name] = file
}

// A fakePackage is a package to be published.
type fakePackage struct {
	name, version, depends string
	files                  map[string]string
}

// publish puts a suite into the archive below base. The fields are added to
// those of its InRelease, whose Date is today's unless they have one.
func (f *fakeArchive) publish(base, suite, fields string, packages ...fakePackage) {
	f.t.Helper()
	var index strings.Builder
	fmt.Fprint(&index, "Package: bash\nVersion: 5.1-2\nArchitecture: all\nDescription: a shell\n it is large\n\n")
	for _, p := range packages {
		deb := makeDeb(f.t, p.files)
		file := fmt.Sprintf("pool/main/l/linux/%s_%s_%s.deb", p.name, p.version, f.arch)
		f.files[base+"/"+file] = deb
		fmt.Fprintf(&index, "Package: %s\nVersion: %s\nArchitecture: %s\nDepends: %s\nFilename: %s\nSize: %d\nSHA256: %x\n\n",
			p.name, p.version, f.arch, p.depends, file, len(deb), sha256.Sum256(deb))
	}
	compressed := compress(f.t, []byte(index.String()))
	sum := fmt.Sprintf("%x", sha256.Sum256(compressed))
	dist := base + "/dists/" + suite
	if !strings.Contains(fields, "Date: ") {
		fields += "Date: " + date(time.Now()) + "\n"
	}
	f.files[fmt.Sprintf("%s/main/binary-%s/by-hash/SHA256/%s", dist, f.arch, sum)] = compressed
	f.sign(dist, fmt.Sprintf("Origin: Debian\nSuite: %s\nCodename: %s\nAcquire-By-Hash: yes\n%sSHA256:\n %s %d main/binary-%s/Packages.xz\n",
		suite, suite, fields, sum, len(compressed), f.arch), f.key)
}

func (f *fakeArchive) sign(dist, text string, signers ...*openpgp.Entity) {
	f.t.Helper()
	var keys []*packet.PrivateKey
	for _, key := range signers {
		keys = append(keys, key.PrivateKey)
	}
	var signed bytes.Buffer
	w, err := clearsign.EncodeMulti(&signed, keys, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		f.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.files[dist+"/InRelease"] = signed.Bytes()
}

// single is the packages of a kernel as Debian laid it out up to Linux 6.18.
func single(abi, version string) []fakePackage {
	release := abi + "-cloud-amd64"
	return []fakePackage{{
		name: "linux-image-cloud-amd64", version: version,
		depends: fmt.Sprintf("linux-image-%s (= %s)", release, version),
	}, {
		name: "linux-image-" + release, version: version,
		depends: "kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool",
		files: map[string]string{
			"./boot/vmlinuz-" + release:                                  "kernel " + version,
			"./boot/config-" + release:                                   "CONFIG_INET=y\n",
			"./boot/System.map-" + release:                               "ffffffff T start\n",
			"./usr/share/doc/linux-image/copyright":                      "GPL-2\n",
			"./lib/modules/" + release + "/modules.builtin":              "kernel/net/ipv4/tcp_cubic.ko\n",
			"./lib/modules/" + release + "/kernel/drivers/net/veth.ko":   "veth",
			"./lib/modules/" + release + "/kernel/net/sched/sch_prio.ko": "sch_prio",
		},
	}}
}

// split is the packages of a kernel as Debian lays it out since Linux 6.19.
func split(abi, version string) []fakePackage {
	release := abi + "-cloud-amd64"
	exactly := func(kind string) string { return fmt.Sprintf("linux-%s-%s (= %s)", kind, release, version) }
	modules := "./usr/lib/modules/" + release
	return []fakePackage{{
		name: "linux-image-cloud-amd64", version: version,
		depends: fmt.Sprintf("linux-base-cloud-amd64 (= %s), %s", version, exactly("image")),
	}, {
		name: "linux-image-" + release, version: version,
		depends: strings.Join([]string{"dracut | initramfs-tools", exactly("base"), exactly("binary"), exactly("modules")}, ", "),
	}, {
		name: "linux-base-" + release, version: version,
		files: map[string]string{
			modules + "/config":          "CONFIG_INET=y\n",
			modules + "/modules.builtin": "kernel/net/ipv4/tcp_cubic.ko\n",
		},
	}, {
		name: "linux-binary-" + release, version: version, depends: exactly("base"),
		files: map[string]string{modules + "/vmlinuz": "kernel " + version},
	}, {
		name: "linux-modules-" + release, version: version, depends: "kmod, " + exactly("base"),
		files: map[string]string{modules + "/kernel/drivers/net/veth.ko.xz": "veth"},
	}}
}

// makeDeb builds a package with some files and the links to headers that kernel
// packages have.
func makeDeb(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var headers []tar.Header
	for _, name := range slices.Sorted(maps.Keys(files)) {
		headers = append(headers, tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(files[name]))})
	}
	headers = append(headers, tar.Header{Name: "./lib/modules/build", Typeflag: tar.TypeSymlink, Linkname: "/usr/src"})
	return makeDebOf(t, headers, files)
}

func makeDebOf(t *testing.T, headers []tar.Header, content map[string]string) []byte {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, header := range headers {
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content[header.Name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return makeAr(
		arMember{"debian-binary", "2.0\n"},
		arMember{"control.tar.xz", string(compress(t, nil))},
		arMember{"data.tar.xz", string(compress(t, data.Bytes()))},
		arMember{"_signature", strings.Repeat("nobody reads this", 1000)},
	)
}

type arMember struct{ name, content string }

func makeAr(members ...arMember) []byte {
	archive := bytes.NewBufferString(arMagic)
	for _, m := range members {
		fmt.Fprintf(archive, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", m.name, 0, 0, 0, 0o644, len(m.content), m.content)
		if len(m.content)%2 == 1 {
			archive.WriteByte('\n')
		}
	}
	return archive.Bytes()
}

func compress(t *testing.T, text []byte) []byte {
	t.Helper()
	var compressed bytes.Buffer
	w, err := xz.NewWriter(&compressed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return compressed.Bytes()
}

// cached lists the files in an archive's cache, apart from the indices that are
// kept for when the mirrors are out of reach.
func cached(t *testing.T, a *Archive) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(a.cache, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(a.cache, path)
		if !entry.IsDir() && !strings.HasPrefix(name, "debian/releases/") {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// finished fails the test if the cache holds something half-written.
func finished(t *testing.T, a *Archive) {
	t.Helper()
	for _, name := range cached(t, a) {
		if strings.Contains(name, ".partial") || strings.Contains(name, ".deb") || strings.Contains(name, ".lock") {
			t.Errorf("%s is left in the cache", name)
		}
	}
}

// noKernel fails the test if anything of a kernel is in the cache.
func noKernel(t *testing.T, a *Archive) {
	t.Helper()
	finished(t, a)
	for _, name := range cached(t, a) {
		if strings.HasPrefix(name, "debian/kernels/") {
			t.Errorf("%s is in the cache", name)
		}
	}
}

// forARM64 makes packages those of an arm64 kernel.
func forARM64(packages []fakePackage) []fakePackage {
	rename := func(s string) string { return strings.ReplaceAll(s, "amd64", "arm64") }
	for i, p := range packages {
		files := make(map[string]string)
		for name, content := range p.files {
			files[rename(name)] = content
		}
		packages[i] = fakePackage{rename(p.name), p.version, rename(p.depends), files}
	}
	return packages
}

func suiteRef(name string) kernel.Reference {
	return kernel.Reference{Origin: kernel.DebianSuite, Name: name}
}

func versionRef(name string) kernel.Reference {
	return kernel.Reference{Origin: kernel.DebianVersion, Name: name}
}

func date(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 MST") }
