package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// unpackInto unpacks a package into a folder and lists what is around it then.
func unpackInto(t *testing.T, ctx context.Context, deb []byte, left int64) (files []string, err error) {
	t.Helper()
	around := t.TempDir()
	inside := filepath.Join(around, "inside")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inside)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = (&unpacker{folder: root, left: left}).unpack(ctx, bytes.NewReader(deb))
	walking := filepath.WalkDir(around, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, around+"/"))
		}
		return err
	})
	if walking != nil {
		t.Fatal(walking)
	}
	return files, err
}

func TestUnpackStaysInside(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	regular := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1} }
	link := func(kind byte, name, target string) tar.Header {
		return tar.Header{Name: name, Typeflag: kind, Linkname: target}
	}
	headers := []tar.Header{
		regular("../../escaped"),
		regular("/lib/modules/absolute/a.ko"),
		regular("lib/modules/../../../escaped"),
		regular("./lib/modules/r/../../../../../lib/modules/climbed/a.ko"),
		link(tar.TypeSymlink, "lib/modules/r/out", "../../../.."),
		link(tar.TypeSymlink, "lib/modules/r/kernel", "/tmp"),
		regular("lib/modules/r/out/escaped"),
		regular("lib/modules/r/kernel/b.ko"),
		link(tar.TypeLink, "lib/modules/r/passwd", "/etc/passwd"),
		link(tar.TypeChar, "lib/modules/r/null", ""),
		regular("lib/modules"),
		regular("boot/vmlinuz-r"),
	}
	content := make(map[string]string)
	for _, header := range headers {
		if header.Typeflag == tar.TypeReg {
			content[header.Name] = "x"
		}
	}
	files, err := unpackInto(t, t.Context(), makeDebOf(t, headers, content), maxUnpacked)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).To(ConsistOf(
		"inside/lib/modules/absolute/a.ko",
		"inside/lib/modules/climbed/a.ko",
		"inside/lib/modules/r/out/escaped",
		"inside/lib/modules/r/kernel/b.ko",
		"inside/vmlinuz",
	))
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	files := map[string]string{"./lib/modules/r/a.ko": "12345678", "./lib/modules/r/b.ko": "12345678"}
	deb := makeDeb(t, files)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx  context.Context
		deb  []byte
		left int64
		want string
	}{
		"more than fits":   {t.Context(), deb, 15, "more than"},
		"no content":       {t.Context(), makeAr(arMember{"debian-binary", "2.0\n"}), 16, "no data.tar"},
		"not a package":    {t.Context(), []byte("<html>no</html>"), 16, "not an ar archive"},
		"damaged content":  {t.Context(), makeAr(arMember{"data.tar.xz", "garbage"}), 16, "data.tar.xz: not an xz stream"},
		"cut short":        {t.Context(), deb[:len(deb)-17100], 16, "data.tar.xz: "},
		"a file as folder": {t.Context(), makeDeb(t, map[string]string{"./lib/modules/r/a": "", "./lib/modules/r/a/b": ""}), 16, "can't write to"},
		"cancelled":        {cancelled, deb, 16, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := unpackInto(t, test.ctx, test.deb, test.left)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(test.want)))
		})
	}
	if _, err := unpackInto(t, t.Context(), deb, 16); err != nil {
		t.Errorf("what just fits: %v", err)
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("./usr/lib/modules/7.2/vmlinuz")
	f.Add("lib/modules/../../etc/passwd")
	f.Add("boot/vmlinuz-")
	f.Fuzz(func(t *testing.T, name string) {
		if to, ok := place(name); ok && !filepath.IsLocal(to) {
			t.Errorf("%q goes to %q", name, to)
		}
	})
}
