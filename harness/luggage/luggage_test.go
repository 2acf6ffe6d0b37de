package luggage

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/u-root/u-root/pkg/cpio"
)

// What is packed of a program is all that it needs: it runs where there is nothing else.
func TestPrograms(t *testing.T) {
	script := func(t *testing.T, first string) (tree string) {
		tree = t.TempDir()
		write(t, filepath.Join(tree, "luggage/script"), first+"\necho it runs\n")
		return tree
	}
	for name, c := range map[string]struct {
		tree    func(*testing.T) string
		bring   string
		command []string
		prints  string
	}{
		"a program": {
			bring: "/bin/sh", command: []string{"/bin/sh", "-c", "echo it runs"}, prints: "it runs\n",
		},
		"one that looks up users": {
			bring: "/usr/bin/id", command: []string{"/usr/bin/id", "-un", "root"}, prints: "root\n",
		},
		"a script": {
			tree:  func(t *testing.T) string { return script(t, "#!/bin/sh -e") },
			bring: "/luggage/script", command: []string{"/luggage/script"}, prints: "it runs\n",
		},
		"a script by env": {
			tree:  func(t *testing.T) string { return script(t, "#! /usr/bin/env -S A=b sh") },
			bring: "/luggage/script", command: []string{"/luggage/script"}, prints: "it runs\n",
		},
		"one whose library only ld.so.conf leads to": {
			tree: func(t *testing.T) string {
				tree := script(t, "")
				library, err := os.ReadFile(theOnly(t, "/usr/lib/*/libselinux.so.1"))
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(tree, "luggage/odd/libselinux.so.1"), string(library))
				write(t, filepath.Join(tree, "etc/ld.so.conf"), "/luggage/odd\n")
				return tree
			},
			bring: "/usr/bin/id", command: []string{"/usr/bin/id", "-u"}, prints: "0\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var trees []string
			if c.tree != nil {
				trees = []string{c.tree(t)}
			}
			l, err := Pack(trees, []string{c.bring})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(l.Arch()).To(Equal(runtime.GOARCH))
			g.Expect(runIn(t, unpacked(t, l), c.command...)).To(Equal(c.prints))
		})
	}
}

func theOnly(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Skipf("%s: there are %q (%v)", pattern, found, err)
	}
	return found[0]
}

// Trees are laid over one another, and links are brought as links.
func TestTrees(t *testing.T) {
	g := NewWithT(t)
	upper, lower := t.TempDir(), t.TempDir()
	write(t, filepath.Join(upper, "luggage/both"), "upper")
	write(t, filepath.Join(lower, "luggage/both"), "lower, and longer")
	write(t, filepath.Join(lower, "luggage/folder/file"), "only here")
	write(t, filepath.Join(lower, "lugg-more/more/file"), "by a link")
	write(t, filepath.Join(upper, "lugg-more/other"), "is not brought")
	for path, target := range map[string]string{
		filepath.Join(upper, "to"):                      "luggage/folder/..",
		filepath.Join(lower, "luggage/folder/nowhere"):  "../none",
		filepath.Join(lower, "luggage/folder/itself"):   ".",
		filepath.Join(lower, "luggage/folder/all"):      "/",
		filepath.Join(lower, "luggage/folder/mounts"):   "/proc/self/mounts",
		filepath.Join(lower, "luggage/folder/more"):     "../../lugg-more/more",
		filepath.Join(lower, "luggage/folder/absolute"): "/to/both",
	} {
		g.Expect(os.Symlink(target, path)).To(Succeed())
	}
	g.Expect(syscall.Mkfifo(filepath.Join(lower, "luggage/folder/pipe"), 0o600)).To(Succeed())
	g.Expect(view{[]string{upper, lower}}.list("/luggage")).To(Equal([]string{"both", "folder"}))
	l, err := Pack([]string{upper, lower, "/"}, []string{"/to/folder", "/luggage/both"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(slices.DeleteFunc(l.Paths(), isLookup)).To(Equal([]string{
		"/lugg-more", "/lugg-more/more", "/lugg-more/more/file",
		"/luggage", "/luggage/both", "/luggage/folder", "/luggage/folder/absolute", "/luggage/folder/all", "/luggage/folder/file", "/luggage/folder/itself",
		"/luggage/folder/more", "/luggage/folder/mounts", "/luggage/folder/nowhere", "/to",
	}))
	g.Expect(l.Arch()).To(BeEmpty())

	folder := unpacked(t, l)
	g.Expect(os.ReadFile(filepath.Join(folder, "luggage/both"))).To(BeEquivalentTo("upper"))
	g.Expect(os.ReadFile(filepath.Join(folder, "to/folder/more/file"))).To(BeEquivalentTo("by a link"))
	g.Expect(os.Readlink(filepath.Join(folder, "luggage/folder/absolute"))).To(Equal("/to/both"))
}

// isLookup reports whether a path is of what is always brought.
func isLookup(path string) bool {
	return strings.HasPrefix(path, "/etc") || strings.HasPrefix(path, "/usr")
}

// What is always brought is what names are looked up in, and nothing else.
func TestLookups(t *testing.T) {
	g := NewWithT(t)
	tree := t.TempDir()
	write(t, filepath.Join(tree, "etc/passwd"), "somebody:x:1000:1000::/:/bin/sh\n")
	l, err := Pack([]string{tree}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(l.Paths()).To(ContainElements("/etc", "/etc/passwd", "/etc/group", "/etc/hosts"))
	g.Expect(l.Paths()).NotTo(ContainElements("/etc/shadow", "/etc/ld.so.cache"))
	g.Expect(string(archived(t, l, "etc/passwd"))).To(HavePrefix("somebody:"))
}

// Modes, owners and times are those that the files have; what belongs to who packs is
// root's. What has not changed is packed the same way.
func TestArchive(t *testing.T) {
	g := NewWithT(t)
	tree := t.TempDir()
	old := time.Unix(1234567890, 0)
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(tree, "luggage", name)
		write(t, path, "some content")
		g.Expect(os.Chtimes(path, old, old)).To(Succeed())
	}
	if os.Geteuid() == 0 {
		g.Expect(os.Chown(filepath.Join(tree, "luggage/b"), 33, 34)).To(Succeed())
	}
	g.Expect(os.Chmod(filepath.Join(tree, "luggage/b"), 0o750|fs.ModeSetuid)).To(Succeed())
	g.Expect(os.Chmod(filepath.Join(tree, "luggage"), 0o711)).To(Succeed())
	l, err := Pack([]string{tree}, []string{"/luggage"})
	g.Expect(err).NotTo(HaveOccurred())
	again, err := Pack([]string{tree}, []string{"/luggage/b", "/luggage/a"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bytes.Equal(written(t, again), written(t, l))).To(BeTrue())
	without, err := Pack([]string{tree}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(l.Size() - without.Size()).To(BeEquivalentTo(2 * len("some content")))
	g.Expect(len(written(t, l)) - len(written(t, without))).To(BeNumerically("<", 500))

	folder := unpacked(t, l)
	a, b, above := stat(t, filepath.Join(folder, "luggage/a")), stat(t, filepath.Join(folder, "luggage/b")), stat(t, filepath.Join(folder, "luggage"))
	g.Expect([]uint32{a.Uid, a.Gid, b.Uid, b.Gid}).To(Equal([]uint32{0, 0, 33, 34}))
	g.Expect([]uint32{a.Mode, b.Mode, above.Mode}).To(Equal([]uint32{cpio.S_IFREG | 0o755, cpio.S_IFREG | 0o4750, cpio.S_IFDIR | 0o711}))
	g.Expect([]int64{a.Mtim.Sec, b.Mtim.Sec}).To(HaveEach(old.Unix()))
}

// What belongs to the user who packs belongs to root in the guest.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	g := NewWithT(t)
	tree := t.TempDir()
	g.Expect(errors.Join(os.Chmod(filepath.Dir(tree), 0o755), os.Chmod(tree, 0o755))).To(Succeed())
	for name, owner := range map[string]int{"own": 33, "other": 35} {
		path := filepath.Join(tree, "luggage", name)
		write(t, path, "")
		g.Expect(os.Chown(path, owner, owner+1)).To(Succeed())
	}
	g.Expect(errors.Join(syscall.Setegid(34), syscall.Seteuid(33))).To(Succeed())
	l, err := Pack([]string{tree}, []string{"/luggage"})
	g.Expect(errors.Join(syscall.Seteuid(0), syscall.Setegid(0))).To(Succeed())
	g.Expect(err).NotTo(HaveOccurred())
	own, other := l.entries["/luggage/own"], l.entries["/luggage/other"]
	g.Expect([]uint64{own.uid, own.gid, other.uid, other.gid}).To(Equal([]uint64{0, 0, 35, 36}))
}

func TestRefuse(t *testing.T) {
	tree := t.TempDir()
	write(t, filepath.Join(tree, "luggage/script"), "#!/luggage/none\n")
	write(t, filepath.Join(tree, "luggage/folder"), "#!/luggage\n")
	write(t, filepath.Join(tree, "luggage/env"), "#!/usr/bin/env no-such-program\n")
	write(t, filepath.Join(tree, "luggage/broken"), "\x7fELF and then something else, for long enough a text to be one\n")
	write(t, filepath.Join(tree, "finwait/x"), "")
	g := NewWithT(t)
	for path, target := range map[string]string{"luggage/loop": "loop", "luggage/to-dev": "/dev"} {
		g.Expect(os.Symlink(target, filepath.Join(tree, path))).To(Succeed())
	}
	socket, err := net.Listen("unix", filepath.Join(tree, "s"))
	g.Expect(err).NotTo(HaveOccurred())
	defer socket.Close()
	large, err := os.Create(filepath.Join(tree, "large"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(errors.Join(large.Truncate(1<<32), large.Close())).To(Succeed())
	for path, want := range map[string]string{
		"relative":        "pack relative: the path has to be absolute",
		"/":               "it is all of the machine: name what is needed of it",
		"/luggage/none":   "pack /luggage/none: find /luggage/none: file does not exist in " + tree + ", /",
		"/luggage/env/a":  "find /luggage/env/a: not a directory",
		"/luggage/loop":   "too many levels of symbolic links",
		"/dev/null":       "the guest has its own /dev, which nothing can be brought to",
		"/luggage/to-dev": "the guest has its own /dev",
		"/finwait/x":      "the guest has its own /finwait",
		"/s":              tree + "/s is neither a file nor a folder",
		"/large":          tree + "/large has 4294967296 octets, and a file that is brought can have 4294967295",
		"/luggage/script": "the program of its #! line, /luggage/none: find /luggage/none: file does not exist",
		"/luggage/folder": "luggage is a folder",
		"/luggage/env":    "no-such-program, which its #! line asks env for, is in none of /usr/local/sbin, ",
		"/luggage/broken": "read the ELF file " + tree + "/luggage/broken: ",
	} {
		_, err := Pack([]string{tree}, []string{path})
		g.Expect(err).To(MatchError(And(ContainSubstring(want), HavePrefix("pack "+path))))
	}
	// In a folder they are what they are.
	_, err = Pack([]string{tree}, []string{"/luggage"})
	g.Expect(err).NotTo(HaveOccurred())
}

// What has changed since it was packed is not written as if it had not.
func TestChanged(t *testing.T) {
	g := NewWithT(t)
	tree := t.TempDir()
	path := filepath.Join(tree, "luggage/file")
	write(t, path, "some content")
	l, err := Pack([]string{tree}, []string{"/luggage"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.Truncate(path, 3)).To(Succeed())
	g.Expect(l.Write(io.Discard)).To(MatchError(ContainSubstring("write /luggage/file: ")))
	g.Expect(os.Remove(path)).To(Succeed())
	g.Expect(l.Write(io.Discard)).To(And(MatchError(ContainSubstring("write /luggage/file: ")), MatchError(fs.ErrNotExist)))
}

func TestUnpackFails(t *testing.T) {
	g := NewWithT(t)
	tree := t.TempDir()
	write(t, filepath.Join(tree, "luggage/file"), "some content")
	l, err := Pack([]string{tree}, []string{"/luggage"})
	g.Expect(err).NotTo(HaveOccurred())
	folder := unpacked(t, l)
	whole := written(t, l)
	g.Expect(Unpack(bytes.NewReader(whole), folder)).To(MatchError(MatchRegexp("^unpack /etc/[a-z]+: open .*: file exists$")))
	g.Expect(Unpack(bytes.NewReader([]byte(strings.Repeat("something else ", 20))), folder)).To(MatchError(ContainSubstring("read the archive: ")))
	at := bytes.Index(whole, []byte("some content"))
	g.Expect(Unpack(bytes.NewReader(whole[:at+3]), t.TempDir())).To(MatchError(ContainSubstring("unpack /luggage/file: unexpected EOF")))
	next := bytes.LastIndex(whole, []byte("070701"))
	g.Expect(Unpack(bytes.NewReader(whole[:next]), t.TempDir())).To(MatchError(ContainSubstring("read the archive: it was cut short")))
	device := cpio.CharDev("null", 0o666, 1, 3)
	outside := cpio.StaticFile("../outside", "", 0o644)
	for record, want := range map[*cpio.Record]string{&device: "is that of neither a file, a folder nor a link", &outside: "it is not below the folder"} {
		var archive bytes.Buffer
		g.Expect(cpio.Newc.Writer(&archive).WriteRecord(*record)).To(Succeed())
		g.Expect(Unpack(bytes.NewReader(archive.Bytes()), folder)).To(MatchError(ContainSubstring(want)))
	}
}

func stat(t *testing.T, path string) (is syscall.Stat_t) {
	t.Helper()
	NewWithT(t).Expect(syscall.Lstat(path, &is)).To(Succeed())
	return is
}

func archived(t *testing.T, l *Luggage, name string) []byte {
	t.Helper()
	g := NewWithT(t)
	archive, err := cpio.ArchiveFromReader(cpio.Newc.Reader(bytes.NewReader(written(t, l))))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(archive.Files).To(HaveKey(name))
	record := archive.Files[name]
	content, err := io.ReadAll(io.NewSectionReader(record, 0, int64(record.FileSize)))
	g.Expect(err).NotTo(HaveOccurred())
	return content
}

// unpacked writes a luggage, and unpacks it into an empty folder.
func unpacked(t *testing.T, l *Luggage) (folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can unpack for every user")
	}
	g := NewWithT(t)
	folder = t.TempDir()
	g.Expect(Unpack(bytes.NewReader(written(t, l)), folder)).To(Succeed())
	return folder
}

func written(t *testing.T, l *Luggage) []byte {
	t.Helper()
	var archive bytes.Buffer
	NewWithT(t).Expect(l.Write(&archive)).To(Succeed())
	return archive.Bytes()
}

// runIn runs a program where a folder is all that there is.
func runIn(t *testing.T, folder string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: folder}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%q: %v\n%s", command, err, out)
	}
	return string(out)
}

// The kernel cuts a #! line at its first blank, a tab too, and env(1) has options of its own.
func TestTheProgramOfAScript(t *testing.T) {
	for line, want := range map[string][2]string{
		"#!/bin/sh\nexit":                                        {"/bin/sh", ""},
		"#! /bin/sh\t-e \n":                                      {"/bin/sh", ""},
		"#!/usr/bin/env\tpython3\n":                              {"/usr/bin/env", "python3"},
		"#!/usr/bin/env  node":                                   {"/usr/bin/env", "node"},
		"#!/usr/bin/env -S A=b -i sh -c x\n":                     {"/usr/bin/env", "sh"},
		"#!/usr/bin/env -S -u HOME --chdir /srv --argv0=x php\n": {"/usr/bin/env", "php"},
		"#!/usr/bin/env -S -u\n":                                 {"/usr/bin/env", ""},
		"#!\n":                                                   {},
		"#":                                                      {},
	} {
		interpreter, argument, _ := parseScript([]byte(line))
		got := [2]string{interpreter, ""}
		if filepath.Base(interpreter) == "env" {
			got[1] = envProgram(argument)
		}
		if got != want {
			t.Errorf("%q is started with %q, want %q", line, got, want)
		}
	}
}
