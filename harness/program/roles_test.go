package program_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/rootless"
	"github.com/finwait/finwait/harness/rootless/rootlesstest"
)

const (
	role = "FINWAIT_PROGRAM_TEST_ROLE" // makes the test binary one of the programs
	user = "FINWAIT_PROGRAM_TEST_USER" // makes it run its tests as an ordinary user
	mark = "FINWAIT_PROGRAM_TEST_MARK" // is in the environment of all that a test starts
)

// programs are what the tests run, each with its arguments.
var programs = map[string]func(args []string){
	// It listens on one address after another, and waits where there is a duration instead.
	"listen": func(args []string) {
		for _, address := range args {
			if pause, err := time.ParseDuration(address); err == nil {
				time.Sleep(pause)
				continue
			}
			network := "tcp4"
			if six, found := strings.CutPrefix(address, "only:"); found {
				network, address = "tcp6", six
			} else if strings.HasPrefix(address, "[") {
				network = "tcp"
			}
			if _, err := net.Listen(network, address); err != nil {
				fail(err)
			}
		}
		forever()
	},
	"dial": func(args []string) {
		l, err := net.Listen("tcp", args[0])
		if err != nil {
			fail(err)
		}
		if _, err := net.Dial("tcp", l.Addr().String()); err != nil {
			fail(err)
		}
	},
	"exit": func(args []string) {
		fmt.Println("it wants", args[0])
		status, _ := strconv.Atoi(args[0])
		os.Exit(status)
	},
	"die": func([]string) {
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		forever()
	},
	"say":     func(args []string) { fmt.Println(args[0]) },
	"wait":    func([]string) { forever() },
	"leave":   func([]string) { again("wait") },
	"prolong": func([]string) { again("listen", "0.0.0.0:80"); forever() },
	// It ignores what it may, and so does what it starts, each in a session of its own.
	"stubborn": func(args []string) {
		signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT)
		if n, _ := strconv.Atoi(args[0]); n > 0 {
			again("stubborn", strconv.Itoa(n-1))
		}
		fmt.Println("started", args[0])
		forever()
	},
	"read": func(args []string) {
		for _, file := range args {
			text, err := os.ReadFile(file)
			if err != nil {
				fail(err)
			}
			fmt.Printf("%s\n", text)
		}
	},
	"write": func(args []string) {
		var failed error
		for _, file := range args {
			failed = errors.Join(failed, os.WriteFile(file, []byte("the program's"), 0o600))
		}
		if failed != nil {
			fail(failed)
		}
	},
	"who": func([]string) {
		file, err := os.OpenFile("/dev/stderr", os.O_WRONLY, 0)
		if err != nil {
			fail(err)
		}
		groups, _ := os.Getgroups()
		fmt.Fprintln(file, os.Geteuid(), os.Getegid(), groups)
	},
	"victim": victim,
}

func fail(err error) {
	fmt.Println(err)
	os.Exit(1)
}

// forever does not let the runtime find that all is asleep.
func forever() {
	signal.Notify(make(chan os.Signal, 1), unix.SIGUSR1)
	select {}
}

// again starts another of the programs, in a session of its own.
func again(name string, args ...string) {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), role+"="+name)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fail(err)
	}
}

// victim starts a stubborn program, and is to be killed.
func victim([]string) {
	l := lab.New()
	host, err := l.Host("server")
	if err != nil {
		fail(err)
	}
	if _, err := program.Start(host, run("stubborn", "3")); err != nil {
		fail(err)
	}
	fmt.Println("started")
	forever()
}

// run is the command that runs one of the programs.
func run(name string, args ...string) program.Command {
	return program.Command{Args: append([]string{"/proc/self/exe"}, args...), Env: []string{role + "=" + name}}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(role); name != "" {
		programs[name](os.Args[1:])
		os.Exit(0)
	}
	if os.Getenv(user) != "" {
		enter()
	}
	before := held()
	code := m.Run()
	if left := held() - before; code == 0 && left > 0 {
		fmt.Fprintf(os.Stderr, "the stopped programs left %d pipes and sockets open\n", left)
		code = 1
	}
	os.Exit(code)
}

// held counts the descriptors of pipes and sockets.
func held() (n int) {
	files, _ := filepath.Glob("/proc/self/fd/*")
	for _, file := range files {
		to, _ := os.Readlink(file)
		if strings.HasPrefix(to, "pipe:") || strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// enter makes an ordinary user's test run in a user namespace.
func enter() {
	err := rootless.Enter()
	var forbidden *rootless.Forbidden
	switch {
	case errors.As(err, &forbidden) && len(forbidden.Reasons) > 0:
		fmt.Println(err)
		os.Exit(rootlesstest.Unable)
	case err != nil:
		fail(err)
	}
}

// All that root can do, an ordinary user can.
func TestAsAnOrdinaryUser(t *testing.T) {
	if os.Getenv(user) != "" {
		t.Skip("this is the ordinary user")
	}
	testAsUser(t, ".")
}

// A container shows parts of /proc and /sys and has files of its own in /etc, each by a
// mount that its users cannot take away. The kernel gives them no other /proc then.
func TestAsAUserOfAContainer(t *testing.T) {
	const inside = "a container"
	switch {
	case os.Geteuid() != 0 || os.Getenv(user) != "":
		t.Skip("needs root, to hide something from users")
	case os.Getenv(mark) != inside:
		inMountNamespace(t, inside)
		return
	}
	for _, at := range []string{"/proc/irq", "/sys/kernel"} {
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("/etc/hosts", "/etc/hosts", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	testAsUser(t, "^Test(TheMachineIsNotWrittenTo|AnotherMount|Trees|TheKernelIsNotWrittenTo|ItStops|NothingOutlivesAKilledParent|Loopback)$")
	out := asUser(t, "^TestNobody$")
	if !strings.Contains(out, "in a container that hides parts of its /proc: run it as root") {
		t.Errorf("it does not say why it cannot be nobody:\n%s", out)
	}
}

// testAsUser runs tests again, as an ordinary user.
func testAsUser(t *testing.T, tests string) {
	t.Helper()
	if out := asUser(t, tests); !strings.HasSuffix(out, "\nPASS\n") {
		t.Errorf("as an ordinary user:\n%s", out)
	}
}

func asUser(t *testing.T, tests string) string {
	t.Helper()
	cmd := rootlesstest.Command(t, user+"=1", "-test.v", "-test.run="+tests)
	cmd.Env = append(cmd.Env, "TMPDIR=")
	out, _ := cmd.CombinedOutput() // which tells of its exit status
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == rootlesstest.Unable {
		t.Skipf("%s", out)
	}
	return string(out)
}

// inMountNamespace runs a test again in a mount namespace that it may change, in which
// it finds a mark.
func inMountNamespace(t *testing.T, as string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"="+as)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS} // which makes what it is a copy of private
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
