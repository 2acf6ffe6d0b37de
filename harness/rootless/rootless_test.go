package rootless

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/rootless/rootlesstest"
)

// role makes the test binary a program that an ordinary user runs.
const role = "FINWAIT_ROOTLESS_ROLE"

// programs do what they are for after Enter.
var programs = map[string]func(){
	"exit": func() {
		status, _ := strconv.Atoi(os.Args[1])
		os.Exit(status)
	},
	"die": func() {
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	},
	"echo": func() {
		in, _ := io.ReadAll(os.Stdin)
		third, _ := os.ReadFile("/dev/fd/3")
		fmt.Fprintf(os.Stderr, "%d %s", os.Geteuid(), third)
		fmt.Printf("%q %s", os.Args[1:], in)
	},
	"say": func() {
		if _, err := os.Stdout.WriteString(os.Args[1]); err != nil {
			os.Exit(1)
		}
	},
	"write": func() {
		if err := os.WriteFile(os.Args[1], nil, 0o600); err != nil {
			panic(err)
		}
	},
	"signals": func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGUSR1)
		go func() { // the test goes, and so does this
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		fmt.Println(os.Getpid())
		for s := range signals {
			fmt.Println(s)
			if s == unix.SIGTERM {
				os.Exit(15)
			}
		}
	},
}

func TestMain(m *testing.M) {
	name := os.Getenv(role)
	if name == "" {
		os.Exit(m.Run())
	}
	if name == "limited" && os.Getenv(probing) == "" {
		limited()
	}
	if name == "filtered" && os.Getenv(probing) == "" {
		filter()
	}
	if err := Enter(); err != nil {
		fmt.Println(err)
		var known *Forbidden
		if errors.As(err, &known) && len(known.Reasons) > 0 {
			os.Exit(rootlesstest.Unable)
		}
		os.Exit(1)
	}
	programs[name]()
	os.Exit(0)
}

// asUser is the test binary as a program of an ordinary user.
func asUser(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	return rootlesstest.Command(t, role+"="+program, args...)
}

// run returns what the program wrote to its standard output, and its exit
// status. Where the system forbids namespaces the test is skipped.
func run(t *testing.T, cmd *exec.Cmd) (stdout string, status int) {
	t.Helper()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if status = cmd.ProcessState.ExitCode(); status == rootlesstest.Unable {
		t.Skip(strings.TrimSpace(string(out)))
	}
	return string(out), status
}

func TestExitStatus(t *testing.T) {
	for _, want := range []int{0, 1, 197} {
		if out, got := run(t, asUser(t, "exit", strconv.Itoa(want))); got != want {
			t.Errorf("it exits %d, want %d\n%s", got, want, out)
		}
	}
	if out, got := run(t, asUser(t, "die")); got != 128+9 {
		t.Errorf("killed, it exits %d\n%s", got, out)
	}
}

func TestArgumentsAndFilesArePassedOn(t *testing.T) {
	third, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	var stderr strings.Builder
	cmd := asUser(t, "echo", "-x", "a b", "")
	cmd.Stdin, cmd.Stderr, cmd.ExtraFiles = strings.NewReader("in"), &stderr, []*os.File{third}
	if os.Geteuid() == 0 {
		if err := third.Chown(rootlesstest.Nobody, rootlesstest.Nobody); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = writer.WriteString("third")
	writer.Close()
	out, status := run(t, cmd)
	if want := `["-x" "a b" ""] in`; out != want || stderr.String() != "0 third" || status != 0 {
		t.Errorf("it wrote %q and %q, want %q and %q; it exits %d", out, &stderr, want, "0 third", status)
	}
}

func TestFilesAreTheCallers(t *testing.T) {
	folder, err := os.MkdirTemp("", "finwait-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	want := os.Geteuid()
	if want == 0 {
		want = rootlesstest.Nobody
		if err := os.Chown(folder, rootlesstest.Nobody, rootlesstest.Nobody); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, "file")
	if out, status := run(t, asUser(t, "write", path)); status != 0 {
		t.Fatalf("it exits %d\n%s", status, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != want || int(owner.Gid) != want {
		t.Errorf("the file belongs to %d:%d, want %d:%[3]d", owner.Uid, owner.Gid, want)
	}
}

// start starts the program that tells of signals, and returns a pidfd for the
// process in the user namespace.
func start(t *testing.T) (cmd *exec.Cmd, lines *bufio.Scanner, pidfd int) {
	t.Helper()
	cmd = asUser(t, "signals")
	cmd.SysProcAttr.Setpgid = true
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines = bufio.NewScanner(out)
	lines.Scan()
	pid, err := strconv.Atoi(lines.Text())
	if err != nil {
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() == rootlesstest.Unable {
			t.Skip(lines.Text())
		}
		t.Fatalf("it did not start: %s", lines.Text())
	}
	if pid == cmd.Process.Pid {
		t.Fatal("it did not run again")
	}
	if pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pidfd) })
	return cmd, lines, pidfd
}

// A signal to the whole process group, as a terminal's is, reaches the program
// once: it is in another, and has it passed on.
func TestSignalsArePassedOnOnce(t *testing.T) {
	cmd, lines, _ := start(t)
	again, err := strconv.Atoi(lines.Text())
	if err != nil {
		t.Fatal(err)
	}
	if group, err := unix.Getpgid(again); err != nil || group == cmd.Process.Pid {
		t.Errorf("it is in the process group %d of its parent (%v)", group, err)
	}
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGUSR1, unix.SIGINT, unix.SIGTERM} {
		if err := unix.Kill(-cmd.Process.Pid, s); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != s.String() {
			t.Fatalf("sent %v, it got %q", s, lines.Text())
		}
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 15 {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
}

func TestNothingSurvivesSIGKILL(t *testing.T) {
	cmd, _, pidfd := start(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = cmd.Process.Wait() // which leaves the program's standard input open
	// A pidfd is readable when its process has ended (pidfd_open(2)).
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Errorf("it outlived its parent (%v)", err)
	}
}

// A terminal may stop whoever writes to it from the background (stty(1), tostop).
func TestATerminalMayStopTheBackground(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	terminal := slave(t, master)
	defer terminal.Close()
	cmd := asUser(t, "say", "written")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	_ = cmd.Wait()
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(master) // with EIO at its end, when nobody has the terminal open
	switch status := cmd.ProcessState.ExitCode(); {
	case status == rootlesstest.Unable:
		t.Skip(string(said))
	case status != 0 || string(said) != "written":
		t.Errorf("it wrote %q and ended with %v", said, cmd.ProcessState)
	}
}

// slave opens the other end of a pseudo-terminal (pty(7)), with tostop.
func slave(t *testing.T, master *os.File) *os.File {
	t.Helper()
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	mode, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	mode.Lflag |= unix.TOSTOP
	if err := unix.IoctlSetTermios(int(terminal.Fd()), unix.TCSETS, mode); err != nil {
		t.Fatal(err)
	}
	return terminal
}

// stopped waits until a process is stopped by a signal, or is no longer. Only the
// parent of one can be told of it (waitpid(2)), so it has to look.
func stopped(t *testing.T, pid int, want bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(status), "\nState:\tT") == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is to be stopped: %v\n%s", pid, want, status)
		}
	}
}

func TestStopAndContinue(t *testing.T) {
	cmd, lines, _ := start(t)
	again, err := strconv.Atoi(lines.Text())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		send syscall.Signal
		stop bool
	}{{unix.SIGTSTP, true}, {unix.SIGCONT, false}} {
		if err := cmd.Process.Signal(step.send); err != nil {
			t.Fatal(err)
		}
		stopped(t, cmd.Process.Pid, step.stop)
		stopped(t, again, step.stop)
	}
}

// The settings that forbid namespaces are a user namespace's own, so a new one
// can have what the machine must not be given.
func TestLimitsAreNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have two users in a user namespace")
	}
	run(t, asUser(t, "exit", "0"))
	for _, name := range []string{"max_user_namespaces", "max_net_namespaces"} {
		cmd := asUser(t, "limited", name)
		two := []syscall.SysProcIDMap{{ContainerID: 0, HostID: rootlesstest.Nobody, Size: 1}, {ContainerID: 1, HostID: rootlesstest.Nobody - 1, Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER, UidMappings: two, GidMappings: two, GidMappingsEnableSetgroups: true,
			Credential: &syscall.Credential{Uid: 0, Gid: 0},
		}
		out, err := cmd.Output()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if status := cmd.ProcessState.ExitCode(); status != rootlesstest.Unable || !strings.Contains(string(out), "user."+name+" is 0") {
			t.Errorf("%s: it exits %d and says %q", name, status, out)
		}
	}
}

// limited sets a limit of its user namespace to 0 and goes on as another user of
// that, who may do nothing there.
func limited() {
	if os.Geteuid() != 0 {
		return
	}
	if err := os.WriteFile("/proc/sys/user/"+os.Args[1], []byte("0"), 0); err != nil {
		panic(err)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1}}
	_ = cmd.Run()
	os.Exit(cmd.ProcessState.ExitCode())
}

// A user namespace that may be made, but not used: AppArmor's way, by a seccomp
// filter.
func TestAFilterIsNamed(t *testing.T) {
	run(t, asUser(t, "exit", "0"))
	out, err := asUser(t, "filtered").Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != rootlesstest.Unable ||
		!strings.HasPrefix(string(out), "unshare(CLONE_NEWNET): operation not permitted: ") || !strings.Contains(string(out), "seccomp") {
		t.Errorf("it ended with %v and said %q", err, out)
	}
}

// filter makes unshare(2) fail with EPERM, for this process and its children.
func filter() {
	rules := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_UNSHARE, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(rules)), Filter: &rules[0]}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program))); errno != 0 {
		panic(errno)
	}
}
