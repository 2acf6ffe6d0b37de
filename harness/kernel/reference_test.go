package kernel

import (
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]Reference{
		"host":                         {Host, ""},
		"debian/trixie":                {DebianSuite, "trixie"},
		"debian/bookworm-backports":    {DebianSuite, "bookworm-backports"},
		"debian/6.1.170-1":             {DebianVersion, "6.1.170-1"},
		"debian/6.1.170":               {DebianVersion, "6.1.170"},
		"debian/7.3~rc7-1~exp1":        {DebianVersion, "7.3~rc7-1~exp1"},
		"debian/6.12.95-1~bpo12+1":     {DebianVersion, "6.12.95-1~bpo12+1"},
		"debian/5.10.0+really5.10.1-1": {DebianVersion, "5.10.0+really5.10.1-1"},
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

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{
		"", "debian", "debian/", "Debian/trixie", "debian/Trixie", "debian/tri xie", "debian/../etc", "debian/a/b",
		"debian/trixie-", "debian/-trixie", "debian/.", "debian/6.1 ", "debian/1:6.1", "debian/6.1-", "ubuntu/noble", "host/", "trixie\n",
	} {
		ref, err := Parse(arg)
		if err == nil {
			t.Errorf("%q is taken for %+v", arg, ref)
			continue
		}
		if ref != (Reference{}) {
			t.Errorf("%q: %+v comes with an error", arg, ref)
		}
		for _, want := range []string{strconv.Quote(arg), "debian/SUITE", "debian/VERSION", "host"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: the error does not say %s: %v", arg, want, err)
			}
		}
	}
}

// What is understood is written back as it was, and can stand in a path.
func FuzzParse(f *testing.F) {
	for _, arg := range []string{"host", "debian/trixie", "debian/bookworm-backports", "debian/7.3~rc7-1~exp1", "debian/../x"} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		ref, err := Parse(arg)
		if err != nil {
			return
		}
		if ref.String() != arg {
			t.Errorf("%q is written back as %q", arg, ref)
		}
		if strings.ContainsAny(ref.Name, "/\\%?# \n") || strings.HasPrefix(ref.Name, ".") {
			t.Errorf("%q gives the name %q", arg, ref.Name)
		}
	})
}
