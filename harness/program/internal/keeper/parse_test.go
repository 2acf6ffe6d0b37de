package keeper

import (
	"path"
	"slices"
	"testing"
)

const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 27 0:28 / /srv/a\040b rw,relatime shared:7 master:3 - tmpfs none rw
30 27 0:27 / /srv rw,relatime shared:6 - tmpfs none rw
33 27 0:27 / /srv rw,relatime - tmpfs none rw
32 27 0:29 / /net rw,relatime - autofs systemd-1 rw
34 27 0:30 / /process rw,relatime - tmpfs none rw
`

func TestParseMounts(t *testing.T) {
	got, err := parseMounts(mountinfo)
	if want := []string{"/process", "/srv", "/srv/a b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	for _, text := range []string{"22 27 0:21 / /proc rw,relatime", "22 27 - ", "22 27 0:21 / proc rw - proc proc rw"} {
		if got, err := parseMounts(text); err == nil {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestInner(t *testing.T) {
	r := root{mounts: []string{"/a", "/a-b", "/a/b", "/a/b/c", "/d/e"}}
	for place, want := range map[string][]string{
		"/": {"/a", "/a-b", "/d/e"}, "/a": {"/a/b"}, "/a/b": {"/a/b/c"}, "/a/b/c": nil, "/d": {"/d/e"},
	} {
		if got := r.inner(place); !slices.Equal(got, want) {
			t.Errorf("below %s: got %q, want %q", place, got, want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{`/a\040b\134`: `/a b\`, `/a\`: `/a\`, `/a\09x`: `/a\09x`, `\777`: `\777`, "": ""} {
		if got := unescape(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestParseUsers(t *testing.T) {
	for text, want := range map[string]users{
		"         0          0 4294967295\n": {all: true, mapped: true},
		"0 1000 1\n":                         {},
		"0 1000 1\n1 100000 65536\n":         {mapped: true},
		"0 0 65534\n":                        {},
		"65534 0 1\n":                        {mapped: true},
	} {
		if got, err := parseUsers(text); err != nil || got != want {
			t.Errorf("%q: got %+v (%v), want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"0 0\n", "0 0 x\n", "0 0 4294967296\n", "\n"} {
		if got, err := parseUsers(text); err == nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add(mountinfo)
	f.Fuzz(func(t *testing.T, text string) {
		places, err := parseMounts(text)
		if err != nil {
			return
		}
		for _, place := range places {
			if !path.IsAbs(place) || path.Clean(place) != place || place == "/" || within("/proc", place) {
				t.Errorf("%q is no place to mount on", place)
			}
		}
	})
}

func FuzzParseUsers(f *testing.F) {
	f.Add("0 1000 1\n1 100000 65536\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := parseUsers(text); err == nil && got.all && !got.mapped {
			t.Errorf("%q: all users are mapped, but nobody is not", text)
		}
	})
}
