// Command payload behaves as the tests of package vm tell it to.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/vm/held"
)

func main() {
	if held.Held() {
		await()
	}
	act, args := os.Args[1], os.Args[2:]
	map[string]func([]string){
		"report":   report,
		"identify": identify,
		"blast":    blast,
		"hang":     hang,
		"panic":    crash,
		"poweroff": powerOff,
		"abandon":  abandon,
		"scribble": scribble,
		"execute":  execute,
	}[act](args)
}

// report tells what it sees of the guest and ends with the status it is given.
func report(args []string) {
	say(map[string]any{
		"args":    os.Args,
		"env":     os.Environ(),
		"modules": read("/proc/modules"),
		"mounts":  read("/proc/mounts"),
		"cpus":    strings.Count(read("/proc/cpuinfo"), "processor\t:"),
		"left":    exists("/finwait/modules/veth.ko"),
	})
	fmt.Println("to standard output")
	fmt.Fprintln(os.Stderr, "to standard error")
	status, err := strconv.Atoi(args[0])
	must(err)
	os.Exit(status)
}

// await waits as a held program does, and then says since when it has.
func await() {
	started := time.Now()
	if os.Getenv("DIES") != "" {
		os.Exit(7)
	}
	args, err := held.Await()
	must(err)
	os.Args = append(os.Args[:1], args...)
	fmt.Println("held since", started.UnixNano())
}

// identify tells what makes this guest this one.
func identify([]string) {
	random := make([]byte, 16)
	_, err := rand.Read(random)
	must(err)
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	must(err)
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	must(unix.Bind(socket, loopback))
	must(unix.Listen(socket, 1))
	address, err := unix.Getsockname(socket)
	must(err)
	up()
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	must(err)
	must(unix.Connect(client, address))
	ephemeral, err := unix.Getsockname(client)
	must(err)
	say(map[string]any{
		"random":  random,
		"boot_id": read("/proc/sys/kernel/random/boot_id"),
		"port":    ephemeral.(*unix.SockaddrInet4).Port,
		"now":     time.Now(),
		"symbol":  strings.SplitN(read("/proc/kallsyms"), "\n", 2)[0],
		"modules": read("/proc/modules"),
	})
}

// up makes the loopback device one that can be used.
func up() {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must(err)
	lo, err := unix.NewIfreq("lo")
	must(err)
	lo.SetUint16(unix.IFF_UP)
	must(unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo))
}

// blast writes as many lines of one KiB as it is told.
func blast(args []string) {
	n, err := strconv.Atoi(args[0])
	must(err)
	port := stream()
	line := append(bytes.Repeat([]byte{'x'}, 1<<10-1), '\n')
	for range n {
		_, err := port.Write(line)
		must(err)
	}
}

// hang says one thing and then nothing any more.
func hang([]string) {
	say("about to hang")
	must(unix.Pause())
}

// crash makes the kernel panic in the middle of a line.
func crash([]string) {
	say("about to panic")
	_, err := stream().WriteString(`{"unfinished":`)
	must(err)
	must(os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0))
}

func powerOff([]string) {
	must(unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}

// abandon leaves a child behind that never stops to write to the stream, and
// dies of a signal.
func abandon([]string) {
	r, w, err := os.Pipe()
	must(err)
	_, err = os.StartProcess(os.Args[0], []string{os.Args[0], "scribble"}, &os.ProcAttr{Files: []*os.File{r, w}})
	must(err)
	_, err = r.Read(make([]byte, 1))
	must(err)
	must(unix.Kill(os.Getpid(), unix.SIGTERM))
	must(unix.Pause())
}

// scribble tells its parent when it has begun.
func scribble([]string) {
	port := stream()
	for i := 0; ; i++ {
		_, err := port.WriteString(`"scribble"` + "\n")
		must(err)
		if i == 0 {
			_, err := os.NewFile(1, "parent").Write([]byte{0})
			must(err)
		}
	}
}

// execute runs a program and tells what it printed.
func execute(args []string) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		out = append(out, err.Error()...)
	}
	say(string(out))
}

// stream is open once: it can be no more.
var stream = sync.OnceValue(func() *os.File {
	port, err := os.OpenFile("/dev/stream", os.O_WRONLY, 0)
	must(err)
	return port
})

func say(what any) {
	text, err := json.Marshal(what)
	must(err)
	_, err = stream().Write(append(text, '\n'))
	must(err)
}

func read(path string) string {
	text, err := os.ReadFile(path)
	must(err)
	return string(text)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
