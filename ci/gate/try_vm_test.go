//go:build vm

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTryAsREADMEHasIt runs the line that README.md shows, and wants of it what README.md
// shows.
func TestTryAsREADMEHasIt(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^    go run \./ci/gate (try (?:.*\\\n)*.*)$`).FindSubmatch(text)
	if found == nil {
		t.Fatal("README.md has no line that tries a server")
	}
	t.Chdir("../..")
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(strings.NewReplacer("\\\n", " ", "$PWD", root).Replace(string(found[1])))
	status, stdout, stderr := gate(t, append([]string{args[0], "--out", t.TempDir()}, args[1:]...)...)
	if status != exitNoRegression {
		t.Errorf("it exits %d, want %d\n%s", status, exitNoRegression, stderr)
	}
	for _, row := range regexp.MustCompile(`(?m)^(?:undisturbed|overtaken|crossing|half|client)-?\S* {2,}.*$`).FindAllString(string(text), -1) {
		// How many milliseconds were lost is another number each time.
		row = regexp.MustCompile(`\d+ ms`).ReplaceAllString(regexp.QuoteMeta(row), `\d+ ms`)
		if !regexp.MustCompile(row).MatchString(stdout) {
			t.Errorf("README.md has the line %s\n%s", row, stdout)
		}
	}
}

// What a server lacks in a guest is told, and what it says of that.
func TestTryInAGuestWithoutWhatItTakes(t *testing.T) {
	tree, err := filepath.Abs("../../.bin/servers/root")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		server []string
		want   []string
	}{
		{[]string{"nginx", "-e", "stderr", "-c", "/nowhere/nginx.conf"}, []string{`open() "/nowhere/nginx.conf" failed`, "--bring"}},
		{[]string{"sleep", "10000"}, []string{"it listens on no address", "8080"}},
		{[]string{"tail", "/dev/zero"}, []string{"signal 9 (killed); memory had run out"}}, // of a line without end
	} {
		args := append([]string{"try", "--out", t.TempDir(), "--kernel", "debian/trixie", "--tree", tree, "--listen", ":8080", "--"}, c.server...)
		status, _, stderr := gate(t, args...)
		for _, want := range c.want {
			if status != exitFailed || !strings.Contains(stderr, want) {
				t.Errorf("%v: it exits %d and says %q, want %d and %q", c.server, status, stderr, exitFailed, want)
			}
		}
	}
}
