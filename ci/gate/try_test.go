package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// triedServer makes the test binary a server that ends connections as nginx's lingering close
// does, or one that cannot be tried.
const triedServer = "FINWAIT_GATE_TEST_SERVER"

var triedServers = map[string]func(){
	"lingers": serve,
	"quits": func() {
		fmt.Fprintln(os.Stderr, "line 3 of the configuration makes no sense")
		os.Exit(3)
	},
	"daemonises": func() {
		if _, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{}); err != nil {
			panic(err)
		}
		os.Exit(0)
	},
}

func serve() {
	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		panic(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer conn.Close()
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}()
	}
}

func TestATrialThatMakesNoSense(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(long, make([]byte, longestRequest+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--listen", ":8080", "--request", long, "--", "true"}, "holds 65537 octets, and there is room for 65536"},
		{[]string{"--listen", ":8080"}, "no server: name its command behind --"},
		{[]string{"--", "true"}, "no --listen"},
		{[]string{"--listen", "8080", "--", "true"}, `--listen "8080": want an address and a port`},
		{[]string{"--listen", ":0", "--", "true"}, `--listen ":0"`},
		{[]string{"--listen", "127.0.0.1:8080", "--", "true"}, "--listen 127.0.0.1:8080: nobody reaches"},
		{[]string{"--listen", "198.51.100.7:8080", "--", "true"}, "the server has no address 198.51.100.7: have it listen on all that it has, or on 192.0.2.2"},
		{[]string{"--listen", ":8080", "--", "no-such-server"}, "there is no program no-such-server"},
		{[]string{"--listen", ":8080", "--", "./no-such-server"}, "no-such-server: no such file"},
		{[]string{"--listen", ":8080", "--patience", "0s", "--", "true"}, "--patience 0s"},
		{[]string{"--listen", ":8080", "--request", empty, "--", "true"}, "is empty"},
		{[]string{"--listen", ":8080", "--request", "none", "--", "true"}, "--request: open none: no such file"},
		{[]string{"--listen", ":8080", "--request", empty, "--client", "true", "--", "true"}, "none of the others can be"},
		{[]string{"--listen", ":8080", "--client", "no-such-client", "--", "true"}, "--client: there is no program no-such-client"},
		{[]string{"--listen", ":8080", "--kernel", "debian/trixie", "--bring", "/no/such/file", "--", "true"}, "/no/such/file: "},
		{[]string{"--listen", ":8080", "--kernel", "bullseye", "--", "true"}, `"bullseye" names no kernel`},
		{[]string{"--listen", ":8080", "--bring", "/no/such/file", "--", "true"}, "--bring /no/such/file: "},
		{[]string{"--listen", ":8080", "--tree", "/no/such/tree", "--", "true"}, "--tree: stat /no/such/tree: no such file"},
		{[]string{"--listen", ":8080", "--tree", empty, "--", "true"}, "--tree: " + empty + " is no folder"},
		{[]string{"--listen", ":8080", "--tree", "/usr", "--", "no-such-server"}, "no-such-server, neither in the tree /usr nor on this machine (in "},
		{[]string{"--listen", ":8080", "--tree", "/usr", "--", "/no/such/server"}, "there is no /no/such/server, neither in the tree /usr nor on this machine"},
		{[]string{"--listen", ":8080", "--", "no-such-server"}, "): `make servers` in a checkout of"},
		{[]string{"--listen", ":8080", "--client", "sh -c 'true'", "--", "true"}, "put the command into a script"},
		{[]string{"--listen", ":8080", "--client", `true \"`, "--", "true"}, "put the command into a script"},
		{[]string{"--listen", ":8080", "--client", "", "--", "true"}, "--client is given and empty"},
		{[]string{"--listen", ":8080", "--client", "  ", "--", "true"}, "--client: it has no words"},
		{[]string{"--listen", ":8080", "--request", "", "--", "true"}, "--request is given and empty"},
		{[]string{"--listen", ":8080", "--tree", "", "--", "true"}, "--tree is given and empty"},
		{[]string{"--listen", ":8080", "--bring", "", "--", "true"}, "--bring is given and empty"},
		{[]string{"--listen", ":8080", "python3", "-m", "http.server"}, "'m' in -m: if that is for python3, put -- before the server's command"},
		{[]string{"--no-such-flag", "--", "python3"}, "unknown flag: --no-such-flag\n"},
		{[]string{"--listen", ":8080", "--", "true", strings.Repeat("x", longestTold)}, "the server's command is too long"},
		{[]string{"--listen", ":8080", "--client", "true " + strings.Repeat("x", longestTold), "--", "true"}, "the client's command is too long"},
	} {
		args := append([]string{"try"}, c.args...)
		status, stdout, stderr := gate(t, args...)
		if status != exitFailed || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("gate %s exits %d and says %q, want %d and %q", strings.Join(args, " "), status, stderr, exitFailed, c.want)
		}
	}
}

// try tries a server of the test binary's on this kernel.
func try(t *testing.T, server string) (status int, stdout, stderr string) {
	t.Helper()
	needRoot(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(triedServer, server)
	return gate(t, "try", "--out", t.TempDir(), "--patience", "500ms", "--listen", ":8080", "--", self)
}

func TestTryOnTheHost(t *testing.T) {
	status, stdout, stderr := try(t, "lingers")
	if want := "clean, by shutdown(SHUT_WR)"; status != exitNoRegression || strings.Count(stdout, want) < 3 {
		t.Errorf("it exits %d, want %d and %q\n%s%s", status, exitNoRegression, want, stdout, stderr)
	}
}

func TestAServerThatCannotBeTried(t *testing.T) {
	for server, want := range map[string][]string{
		"quits":      {"exit status 3", "line 3 of the configuration makes no sense"},
		"daemonises": {"it went to the background"},
	} {
		status, _, stderr := try(t, server)
		for _, text := range want {
			if status != exitFailed || !strings.Contains(stderr, text) {
				t.Errorf("of a server that %s, it exits %d and says %q, want %d and %q", server, status, stderr, exitFailed, text)
			}
		}
	}
}

func TestAProgramIsLookedForInTheTreeFirst(t *testing.T) {
	tree := t.TempDir()
	for _, name := range []string{"usr/sbin/only-in-the-tree", "opt/my/server"} {
		if err := os.MkdirAll(filepath.Join(tree, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"only-in-the-tree":           "/usr/sbin/only-in-the-tree",
		"/usr/sbin/only-in-the-tree": "/usr/sbin/only-in-the-tree",
		"/opt/my/server":             "/opt/my/server",
		"/bin/sh":                    "/bin/sh",
	} {
		if got, err := (trier{tree: tree}).find(name); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
}

func TestEachFolderIsSearchedOnce(t *testing.T) {
	t.Setenv("PATH", "/usr/bin:.:/usr/sbin:/usr/bin")
	_, err := trier{}.find("no-such-server")
	if want := "there is no program no-such-server on this machine (in /usr/bin, /usr/sbin, /usr/local/sbin)"; err == nil || err.Error() != want {
		t.Errorf("it says %v, want %s", err, want)
	}
}

// What an earlier try has written is gone, and nothing else is.
func TestAFailedTryLeavesNothingOfAnEarlierOne(t *testing.T) {
	needRoot(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(triedServer, "quits")
	out := t.TempDir()
	for _, name := range []string{"gate.json", "gate.html", "host/record.json", "host/exchanges/try/undisturbed.txt", "host/notes", "debian-x/record.json"} {
		if err := replace(filepath.Join(out, name), content("of an earlier run")); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, stderr := gate(t, "try", "--out", out, "--listen", ":8080", "--", self); status != exitFailed {
		t.Fatalf("it exits %d: %s", status, stderr)
	}
	if got, want := strings.Join(filesBelow(t, out), " "), "debian-x/record.json host/notes"; got != want {
		t.Errorf("%s are left, want %s", got, want)
	}
}
