package program_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/program"
)

// What a program writes, it can read, and the machine has not got.
func TestTheMachineIsNotWrittenTo(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	existing := filepath.Join(folder, "existing")
	g.Expect(os.WriteFile(existing, []byte("the machine's"), 0o600)).To(Succeed())
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	g.Expect(err).NotTo(HaveOccurred())

	files := []string{existing, filepath.Join(folder, "new"), "relative"}
	for _, where := range []string{"/etc", "/var/lib", "/var/tmp", "/tmp", "/run", "/dev/shm"} {
		files = append(files, filepath.Join(where, "finwait-"+rand(t)))
	}
	c := run("write", files...)
	c.Dir = folder
	p := start(t, c)
	g.Expect(ended(t, p).Err()).NotTo(HaveOccurred())
	during, err := os.ReadFile("/proc/self/mountinfo")
	g.Expect(err).NotTo(HaveOccurred())
	p.Stop()

	g.Expect(os.ReadFile(existing)).To(BeEquivalentTo("the machine's"))
	g.Expect(os.ReadDir(folder)).To(HaveLen(1))
	for _, file := range files[3:] {
		g.Expect(file).NotTo(BeAnExistingFile())
	}
	g.Expect(string(during)).To(Equal(string(mounts)))
	g.Expect(os.ReadFile("/proc/self/mountinfo")).To(BeEquivalentTo(mounts))
}

// What is mounted elsewhere on the machine is seen, and not written to.
func TestAnotherMount(t *testing.T) {
	const inside = "other mounts"
	if os.Getenv(mark) != inside {
		inMountNamespace(t, inside)
		return
	}
	g := NewWithT(t)
	at := filepath.Join(t.TempDir(), `with a space, a \ and a :`)
	g.Expect(os.MkdirAll(at, 0o755)).To(Succeed())
	g.Expect(unix.Mount("tmpfs", at, "tmpfs", 0, "")).To(Succeed())
	defer func() { g.Expect(unix.Unmount(at, 0)).To(Succeed()) }()
	inner := filepath.Join(at, "inner")
	g.Expect(os.Mkdir(inner, 0o755)).To(Succeed())
	g.Expect(unix.Mount("tmpfs", inner, "tmpfs", 0, "")).To(Succeed())
	defer func() { g.Expect(unix.Unmount(inner, 0)).To(Succeed()) }()
	for _, folder := range []string{at, inner} {
		file := filepath.Join(folder, "file")
		g.Expect(os.WriteFile(file, []byte("the machine's"), 0o600)).To(Succeed())
		p := ended(t, start(t, run("read", file)))
		g.Expect(p.Output(), p.Err()).To(Equal("the machine's\n"))
		g.Expect(ended(t, start(t, run("write", filepath.Join(folder, "new")))).Err()).NotTo(HaveOccurred())
		g.Expect(filepath.Join(folder, "new")).NotTo(BeAnExistingFile())
	}
}

// A tree may have a link where the machine has something mounted.
func TestATreeHidesAMount(t *testing.T) {
	const inside = "a mount to hide"
	if os.Getenv(mark) != inside {
		inMountNamespace(t, inside)
		return
	}
	g := NewWithT(t)
	at := t.TempDir()
	g.Expect(unix.Mount("tmpfs", at, "tmpfs", 0, "")).To(Succeed())
	defer func() { g.Expect(unix.Unmount(at, 0)).To(Succeed()) }()
	tree := t.TempDir()
	g.Expect(os.MkdirAll(filepath.Dir(tree+at), 0o755)).To(Succeed())
	g.Expect(os.Symlink("/no/folder", tree+at)).To(Succeed())
	p := ended(t, start(t, program.Command{Args: []string{"readlink", at}, Trees: []string{tree}}))
	g.Expect(p.Output(), p.Err()).To(Equal("/no/folder\n"))
}

func TestTrees(t *testing.T) {
	g := NewWithT(t)
	first, second := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		first + "/usr/lib/os-release":       "first",
		second + "/usr/lib/os-release":      "second",
		first + "/usr/bin/finwait-server":   "#!/bin/sh\nexec cat /opt/finwait/a /opt/finwait/b /lib/finwait/c /etc/os-release",
		first + "/opt/finwait/a":            "a of the first\n",
		second + "/opt/finwait/a":           "a of the second\n",
		second + "/opt/finwait/b":           "b of the second\n",
		second + "/lib/finwait/c":           "c of the second, below /usr where the machine has merged that\n",
		second + "/var/lib/finwait/there/x": "",
	} {
		g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		g.Expect(os.WriteFile(path, []byte(text), 0o755)).To(Succeed())
	}
	third := t.TempDir()
	g.Expect(os.Symlink("usr/lib", third+"/lib")).To(Succeed())
	link := filepath.Join(t.TempDir(), "link")
	g.Expect(os.Symlink(second, link)).To(Succeed())
	trees := []string{first, link, third}
	p := ended(t, start(t, program.Command{Args: []string{"finwait-server"}, Trees: trees}))
	g.Expect(p.Output(), p.Err()).To(Equal("a of the first\nb of the second\nc of the second, below /usr where the machine has merged that\nfirst"))

	c := run("write", "/opt/finwait/a", "/opt/finwait/new", "/var/lib/finwait/there/new")
	c.Trees = trees
	g.Expect(ended(t, start(t, c)).Err()).NotTo(HaveOccurred())
	g.Expect(os.ReadFile(first + "/opt/finwait/a")).To(BeEquivalentTo("a of the first\n"))
	g.Expect(os.ReadDir(first + "/opt/finwait")).To(HaveLen(1))
	g.Expect(os.ReadDir(second + "/var/lib/finwait/there")).To(HaveLen(1))
}

// A folder that the program makes anew has nothing of the machine's in it.
func TestAFolderMadeAnew(t *testing.T) {
	g := NewWithT(t)
	folder := filepath.Join(t.TempDir(), "folder")
	g.Expect(os.Mkdir(folder, 0o755)).To(Succeed())
	g.Expect(os.WriteFile(folder+"/file", nil, 0o600)).To(Succeed())
	p := ended(t, start(t, program.Command{Args: []string{"sh", "-c", `rm -r "$0" && mkdir "$0" && ls "$0"`, folder}}))
	g.Expect(p.Output(), p.Err()).To(BeEmpty())
	g.Expect(folder + "/file").To(BeAnExistingFile())
}

// What is neither a file nor confined by a namespace is out of reach too.
func TestTheKernelIsNotWrittenTo(t *testing.T) {
	before, err := os.ReadFile("/proc/sys/vm/swappiness")
	if err != nil {
		t.Skip(err)
	}
	g := NewWithT(t)
	for _, try := range []string{
		"cat /proc/sys/vm/swappiness >/proc/sys/vm/swappiness",
		"mount -o remount,rw /proc/sys",
		"mknod /tmp/disk b 1 0 && : >/tmp/disk",
	} {
		p := ended(t, start(t, program.Command{Args: []string{"sh", "-c", try}}))
		g.Expect(p.Err()).To(HaveOccurred(), "%s: %s", try, p.Output())
	}
	g.Expect(os.ReadFile("/proc/sys/vm/swappiness")).To(BeEquivalentTo(before))
}
