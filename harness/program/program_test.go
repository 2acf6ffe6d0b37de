package program_test

import (
	"bufio"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/program"
)

// host is a lab's only one.
func host(t *testing.T) *lab.Host {
	t.Helper()
	l := lab.New()
	t.Cleanup(l.Close)
	h, err := l.Host("server")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start starts a program that is stopped after the test.
func start(t *testing.T, c program.Command) *program.Program {
	t.Helper()
	p, err := program.Start(host(t), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop() })
	return p
}

// ended waits for the program's own end.
func ended(t *testing.T, p *program.Program) *program.Program {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		t.Fatalf("it did not end\n%s", p.Output())
	}
	return p
}

// await waits no longer than so long until a program listens on an address.
func await(t *testing.T, p *program.Program, address string, within time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return p.AwaitListening(ctx, netip.MustParseAddrPort(address))
}

// marked returns what runs with a mark in its environment, besides this process.
func marked(t *testing.T, as string) (all []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if environment, err := os.ReadFile(file); err == nil && strings.Contains(string(environment), mark+"="+as+"\x00") {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			all = append(all, file+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return all
}

func TestWhatCannotBeStarted(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := file("text", "text", 0o600)
	for name, c := range map[string]struct {
		command program.Command
		want    string
	}{
		"nothing":        {program.Command{}, "start a program: no program is named"},
		"not there":      {program.Command{Args: []string{"no-such-server", "-x"}}, "start no-such-server: there is no such program in PATH (/"},
		"no such path":   {program.Command{Args: []string{"/no/server"}}, "start /no/server: no such file or directory"},
		"not executable": {program.Command{Args: []string{text}}, "start " + text + ": it is not a program that may be executed (chmod +x)"},
		"no program": {
			program.Command{Args: []string{file("other", "\x7fELF nonsense", 0o700)}},
			"exec format error: it is a program for another architecture, or a script whose first line does not begin with #!",
		},
		"no interpreter": {
			program.Command{Args: []string{file("script", "#!/no/interpreter\n", 0o700)}},
			"no such file or directory: the program is there, but not the interpreter that it names",
		},
		"no folder": {program.Command{Args: []string{"sh"}, Dir: "/no/folder"}, "start sh: the working folder: chdir /no/folder: no such file or directory"},
		"no tree":   {program.Command{Args: []string{"sh"}, Trees: []string{"/no/tree"}}, "start sh: the tree /no/tree: "},
		"file as tree": {
			program.Command{Args: []string{"sh"}, Trees: []string{text}},
			"start sh: the tree " + text + ": it is no folder",
		},
		"tree over a guest": {program.Command{Args: []string{"sh"}, Trees: []string{folder}, Disposable: true}, "start sh: there are trees"},
		"files and no folder": {
			program.Command{Args: []string{"sh"}, Files: map[string]string{"a": ""}},
			`start sh: the folder of its own, "", has no absolute path`,
		},
		"a folder of its own below a file": {
			program.Command{Args: []string{"sh"}, Folder: text + "/own"},
			"start sh: the folder of its own: mkdir " + text,
		},
		"in a guest": {
			program.Command{Args: []string{"/no/server"}, Disposable: true},
			"no such file or directory; a guest has only the program, its shared libraries and what --bring names",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := program.Start(host(t), c.command)
			if err == nil {
				p.Stop()
			}
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		command program.Command
		want    string
	}{
		{run("exit", "0"), ""},
		{run("exit", "3"), "/proc/self/exe: it ended: exit status 3\nits last lines:\n\tit wants 3"},
		{run("die"), "/proc/self/exe: it ended: signal 9 (killed); it printed nothing"},
	} {
		g := NewWithT(t)
		p := ended(t, start(t, c.command))
		if c.want == "" {
			g.Expect(p.Err()).NotTo(HaveOccurred())
		} else {
			g.Expect(p.Err()).To(MatchError(c.want))
		}
		g.Expect(p.Stop()).To(Equal(program.Ending{}))
	}
}

// What was printed before the end is there at the end.
func TestTheLastLines(t *testing.T) {
	g := NewWithT(t)
	long := strings.Repeat("x", 60_000)
	for range 20 {
		g.Expect(ended(t, start(t, run("say", "first\n"+long+"\nbefore\nlast"))).Output()).To(Equal("before\nlast\n"))
		g.Expect(ended(t, start(t, run("say", "first\n"+long))).Output()).To(Equal(long[:4<<10-1] + "\n"))
	}
}

func TestItStops(t *testing.T) {
	g := NewWithT(t)
	p := start(t, run("wait"))
	g.Expect(p.Stop()).To(Equal(program.Ending{}))
	g.Expect(p.Err()).To(MatchError(HavePrefix("/proc/self/exe: it ended: signal 15 (terminated)")))
}

func TestNothingOutlivesStop(t *testing.T) {
	g := NewWithT(t)
	as := rand(t)
	c := run("stubborn", "3")
	c.Env = append(c.Env, mark+"="+as)
	p := start(t, c)
	g.Eventually(p.Output, "10s", "1ms").Should(ContainSubstring("started 0"))
	g.Expect(marked(t, as)).To(HaveLen(5), "the keeper and four programs")
	g.Expect(p.Stop()).To(Equal(program.Ending{Killed: true, Left: 3}))
	g.Expect(marked(t, as)).To(BeEmpty())
	g.Expect(p.Stop()).To(Equal(program.Ending{Killed: true, Left: 3}), "the second time")
	g.Expect(p.Err()).To(MatchError(ContainSubstring("signal 9")))
}

func TestNothingOutlivesAKilledParent(t *testing.T) {
	g := NewWithT(t)
	as := rand(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), role+"=victim", mark+"="+as)
	out, err := cmd.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cmd.Start()).To(Succeed())
	lines := bufio.NewScanner(out)
	g.Expect(lines.Scan()).To(BeTrue())
	g.Expect(lines.Text()).To(Equal("started"))
	g.Eventually(func() []string { return marked(t, as) }, "10s", "1ms").Should(HaveLen(6), "the victim, the keeper, and four programs")
	g.Expect(cmd.Process.Kill()).To(Succeed())
	g.Expect(cmd.Wait()).NotTo(Succeed())
	g.Eventually(func() []string { return marked(t, as) }, "10s", "1ms").Should(BeEmpty())
}

// Some programs signal their process group, to end what they have started.
func TestItSignalsItsGroup(t *testing.T) {
	p := ended(t, start(t, program.Command{Args: []string{"sh", "-c", "kill -TERM 0"}}))
	NewWithT(t).Expect(p.Err()).To(MatchError(HavePrefix("sh: it ended: signal 15 (terminated)")))
}

// What a terminal sends goes to this process, which decides what becomes of the
// program: its keeper is in a session of its own.
func TestATerminalsSignals(t *testing.T) {
	p := ended(t, start(t, program.Command{Args: []string{"cut", "-d ", "-f5,6", "/proc/1/stat"}}))
	NewWithT(t).Expect(p.Output(), p.Err()).To(Equal("1 1\n"))
}

func TestItInheritsThreeFiles(t *testing.T) {
	p := ended(t, start(t, program.Command{Args: []string{"sh", "-c", "cd /proc/$$/fd && echo *"}}))
	NewWithT(t).Expect(p.Output(), p.Err()).To(Equal("0 1 2 3\n"), "the last is the folder that the shell reads")
}

func TestNobody(t *testing.T) {
	c := run("who")
	c.Nobody = true
	p := ended(t, start(t, c))
	NewWithT(t).Expect(p.Output(), p.Err()).To(Equal("65534 65534 []\n"))
}

// The loopback is up, also for a program that dials itself.
func TestLoopback(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		NewWithT(t).Expect(ended(t, start(t, run("dial", address))).Err()).NotTo(HaveOccurred())
	}
}

// A program's own folder has its files in it, can be written to, nobody's too, and is
// nowhere else.
func TestAFolderOfItsOwn(t *testing.T) {
	g := NewWithT(t)
	at := filepath.Join("/srv", "finwait-"+rand(t), "own")
	for _, nobody := range []bool{false, true} {
		c := program.Command{
			Args:   []string{"sh", "-c", `cat "$0/a" && : >"$0/new" && ls "$0"`, at},
			Folder: at, Files: map[string]string{"a": "content\n"}, Nobody: nobody,
		}
		p := ended(t, start(t, c))
		g.Expect(p.Output(), p.Err()).To(Equal("content\na\nnew\n"), "nobody: %t", nobody)
	}
	g.Expect(filepath.Dir(at)).NotTo(BeAnExistingFile())
}

// A guest's files are there to be written to.
func TestADisposableMachine(t *testing.T) {
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "file")
	c := run("write", file)
	c.Disposable = true
	g.Expect(ended(t, start(t, c)).Err()).NotTo(HaveOccurred())
	g.Expect(os.ReadFile(file)).To(BeEquivalentTo("the program's"))

	c = run("read", "/proc/1/cmdline", "/no/such/file")
	c.Disposable = true
	g.Expect(ended(t, start(t, c)).Err()).To(MatchError(And(
		ContainSubstring("it ended: exit status 1; a guest has only the program"),
		ContainSubstring("keeper of /proc/self/exe"))))
}

func rand(t *testing.T) string {
	t.Helper()
	return filepath.Base(t.TempDir()) + filepath.Base(filepath.Dir(t.TempDir()))
}
