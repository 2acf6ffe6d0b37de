package kernel

import (
	"strconv"
	"strings"
	"testing"
)

// foreign is an architecture that is not this machine's.
func foreign() Arch {
	if Native() == ARM64 {
		return AMD64
	}
	return ARM64
}

func TestParse(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]Reference{
		"host":                                {Origin: Host},
		"debian/trixie":                       {Origin: DebianSuite, Name: "trixie"},
		"debian/bookworm-backports":           {Origin: DebianSuite, Name: "bookworm-backports"},
		"debian/trixie:" + string(foreign()):  {Origin: DebianSuite, Name: "trixie", Arch: foreign()},
		"debian/6.1.170-1":                    {Origin: DebianVersion, Name: "6.1.170-1"},
		"debian/6.1.170:" + string(foreign()): {Origin: DebianVersion, Name: "6.1.170", Arch: foreign()},
		"debian/7.3~rc7-1~exp1":               {Origin: DebianVersion, Name: "7.3~rc7-1~exp1"},
		"debian/6.12.95-1~bpo12+1":            {Origin: DebianVersion, Name: "6.12.95-1~bpo12+1"},
		"debian/5.10.0+really5.10.1-1":        {Origin: DebianVersion, Name: "5.10.0+really5.10.1-1"},
		"deb:a b.deb":                         {Origin: Packages, Name: "a b.deb"},
		"deb:/x/linux-image.deb,../m.deb":     {Origin: Packages, Name: "/x/linux-image.deb,../m.deb"},
		"dir:/":                               {Origin: Tree, Name: "/"},
		"dir:roots/fedora:42":                 {Origin: Tree, Name: "roots/fedora:42"},
		"image:bzImage":                       {Origin: File, Name: "bzImage"},
		"image:a,b,modules=/lib/modules/6.12": {Origin: File, Name: "a,b", Modules: "/lib/modules/6.12"},
		"build:/usr/src/linux":                {Origin: Build, Name: "/usr/src/linux"},
	} {
		got, err := Parse(arg)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", arg, got, err, want)
		}
		if got.String() != arg {
			t.Errorf("%q is written back as %q", arg, got)
		}
	}
}

// A kernel that is named twice is found out by what is parsed.
func TestParseThisMachinesArchitecture(t *testing.T) {
	t.Parallel()
	if Native() != AMD64 && Native() != ARM64 {
		t.Skipf("no kernel for %s can be named", Native())
	}
	got, err := Parse("debian/trixie:" + string(Native()))
	if want := (Reference{Origin: DebianSuite, Name: "trixie"}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{
		"", "debian", "debian/", "Debian/trixie", "debian/Trixie", "debian/tri xie", "debian/../etc", "debian/a/b",
		"debian/trixie-", "debian/-trixie", "debian/.", "debian/6.1 ", "debian/6.1-", "ubuntu/noble", "host/", "trixie\n",
		"deb", "deb:", "deb:a.deb,", "deb:,a.deb", "deb:a\nb", "dir:", "dir:\x00", "image:", "image:,modules=x", "image:x,modules=", "build:", "Build:x",
	} {
		ref, err := Parse(arg)
		if err == nil {
			t.Errorf("%q is taken for %+v", arg, ref)
			continue
		}
		if ref != (Reference{}) {
			t.Errorf("%q: %+v comes with an error", arg, ref)
		}
		for _, want := range []string{
			strconv.Quote(arg), "debian/SUITE", "debian/VERSION", "deb:FILE", "dir:ROOT", "image:VMLINUZ[,modules=DIR]", "build:DIR", "host",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: the error does not say %s: %v", arg, want, err)
			}
		}
	}
}

func TestParseRefusesArchitectures(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"debian/trixie:", "debian/1:6.1", "debian/trixie:riscv64", "debian/6.1.170-1:x86_64", "debian/trixie:arm64:amd64"} {
		ref, err := Parse(arg)
		if err == nil || ref != (Reference{}) || !strings.Contains(err.Error(), strconv.Quote(arg)) || !strings.Contains(err.Error(), "want amd64 or arm64") {
			t.Errorf("%q: %+v, %v", arg, ref, err)
		}
	}
}

// What is understood is written back such that it is understood as the same, and
// what names a package of an archive can stand in a path.
func FuzzParse(f *testing.F) {
	for _, arg := range []string{
		"host", "debian/trixie", "debian/bookworm-backports", "debian/7.3~rc7-1~exp1", "debian/../x", "debian/trixie:arm64",
		"deb:a.deb,b.deb", "dir:/", "image:a,modules=b", "build:.",
	} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		ref, err := Parse(arg)
		if err != nil {
			return
		}
		if again, err := Parse(ref.String()); err != nil || again != ref {
			t.Errorf("%q is written back as %q: %+v, %v", arg, ref, again, err)
		}
		if ref.Origin == DebianSuite || ref.Origin == DebianVersion {
			if strings.ContainsAny(ref.Name, "/\\%?# \n") || strings.HasPrefix(ref.Name, ".") {
				t.Errorf("%q gives the name %q", arg, ref.Name)
			}
		}
	})
}
