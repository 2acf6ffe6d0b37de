package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/finwait/finwait/ci/gate/internal/programs"
	"github.com/finwait/finwait/harness/exposure"
	"github.com/finwait/finwait/harness/luggage"
	"github.com/finwait/finwait/harness/program"
)

// longestRequest is in octets: what is told of a server is an argument of a program.
const longestRequest = 64 << 10

// defaultRequest asks for a page, and for the connection to be closed.
const defaultRequest = "GET / HTTP/1.1\r\nHost: finwait.example\r\nConnection: close\r\n\r\n"

// task is what the command line says of server and client.
func (t trier) task(command []string) (exposure.Task, error) {
	task := exposure.Task{Request: []byte(defaultRequest), Patience: t.patience}
	switch {
	case len(command) == 0:
		return task, errors.New("no server: name its command behind --, as in `gate try --listen :8080 -- nginx -g 'daemon off;'`")
	case t.listen == "":
		return task, errors.New("no --listen: where does the server listen? --listen :8080, for instance")
	case t.patience <= 0:
		return task, fmt.Errorf("--patience %v: want a duration such as 3s", t.patience)
	}
	var err error
	if t.tree, err = folderThere(t.tree); err != nil {
		return task, fmt.Errorf("--tree: %w", err)
	}
	if err := t.checkBrought(); err != nil {
		return task, err
	}
	if task.Listen, err = parseListen(t.listen); err != nil {
		return task, err
	}
	if task.Server, err = t.commandOf(command); err != nil {
		return task, fmt.Errorf("the server: %w%s", err, t.whence(err))
	}
	if t.request != "" {
		if task.Request, err = os.ReadFile(t.request); err == nil && len(task.Request) == 0 {
			err = fmt.Errorf("%s is empty: a client that sends nothing is none", t.request)
		}
		if err == nil && len(task.Request) > longestRequest {
			err = fmt.Errorf("%s holds %d octets, and there is room for %d", t.request, len(task.Request), longestRequest)
		}
		if err != nil {
			return task, fmt.Errorf("--request: %w", err)
		}
	}
	service, err := task.Address()
	if err != nil {
		return task, fmt.Errorf("--listen %s: %w", t.listen, err)
	}
	if t.client != "" {
		task.Request = nil
		if task.Client, err = t.clientOf(service); err != nil {
			return task, fmt.Errorf("--client: %w", err)
		}
	}
	_, err = told(task)
	return task, err
}

// longestTold is what the kernel takes for one argument of a program, without the zero
// behind it (execve(2), MAX_ARG_STRLEN).
const longestTold = 128<<10 - 1

// told is the argument by which the suite is told of a task.
func told(task exposure.Task) (string, error) {
	text, err := json.Marshal(task)
	if err != nil {
		return "", err
	}
	argument := "--try=" + string(text)
	if len(argument) > longestTold {
		whose := "the server's"
		if len(strings.Join(task.Client.Args, "")) > len(strings.Join(task.Server.Args, "")) {
			whose = "the client's"
		}
		return "", fmt.Errorf("%s command is too long: with what else the suite is told, it takes %d octets, and there is room for %d: "+
			"put what is long into a file that it reads, or into a script that starts it", whose, len(argument), longestTold)
	}
	return argument, nil
}

// clientOf is the client's command, which has no shell that would take quotes away.
func (t trier) clientOf(service netip.AddrPort) (program.Command, error) {
	if strings.ContainsAny(t.client, "'\"\\") {
		return program.Command{}, fmt.Errorf("%s: it is split where there are spaces, and quotes and backslashes mean nothing in it: "+
			"put the command into a script, and name that, as in --client './client.sh {server}'", t.client)
	}
	return t.commandOf(strings.Fields(strings.ReplaceAll(t.client, "{server}", service.String())))
}

// folderThere is the absolute path of a folder that is there; of none, nothing.
func folderThere(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", path)
	}
	return path, err
}

// checkBrought finds what is not there to be brought: for this machine's kernel nothing is,
// but a name that is wrong is no less so.
func (t trier) checkBrought() error {
	for _, brought := range t.bring {
		path, err := filepath.Abs(brought)
		if err == nil {
			err = t.lookFor(path)
		}
		if err != nil {
			return fmt.Errorf("--bring %s: %w", brought, err)
		}
	}
	return nil
}

// lookFor is nil where a tree, or else the machine, has something at a path.
func (t trier) lookFor(path string) (err error) {
	for _, root := range t.roots() {
		if _, err = os.Lstat(filepath.Join(root, path)); err == nil {
			return nil
		}
	}
	return err
}

// parseListen reads an address and a port, of which the address may be left out.
func parseListen(text string) (netip.AddrPort, error) {
	full := text
	if strings.HasPrefix(text, ":") {
		full = netip.IPv4Unspecified().String() + text
	}
	at, err := netip.ParseAddrPort(full)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("--listen %q: want an address and a port, such as :8080, 0.0.0.0:8080 or [::]:8080", text)
	}
	return at, nil
}

// commandOf is a command whose program has been found.
func (t trier) commandOf(words []string) (c program.Command, err error) {
	if len(words) == 0 {
		return c, errors.New("it has no words")
	}
	path, err := t.find(words[0])
	if err != nil {
		return c, err
	}
	c = program.Command{Args: append([]string{path}, words[1:]...), Trees: t.trees()}
	c.Dir, err = os.Getwd()
	return c, err
}

// trees are the folders that are laid over the machine's files.
func (t trier) trees() []string {
	if t.tree == "" {
		return nil
	}
	return []string{t.tree}
}

// roots are the folders in which a path is looked for, the machine's last.
func (t trier) roots() []string { return append(t.trees(), "/") }

// find finds a program as a shell does, and in the folders for servers, which need not be
// in an ordinary user's PATH; one in the tree goes before one of the machine's.
func (t trier) find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return t.findAt(name)
	}
	folders := programFolders()
	for _, root := range t.roots() {
		for _, folder := range folders {
			if _, err := exec.LookPath(filepath.Join(root, folder, name)); err == nil {
				return filepath.Join(folder, name), nil
			}
		}
	}
	return "", &noProgramError{name, t.tree, folders}
}

// findAt finds a program by its path. One in the tree hides the machine's, as it will when
// the tree is laid over it.
func (t trier) findAt(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	for _, root := range t.roots() {
		if _, err = exec.LookPath(filepath.Join(root, path)); !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
	}
	if t.tree != "" {
		return "", fmt.Errorf("there is no %s, neither in the tree %s nor on this machine", path, t.tree)
	}
	return "", err
}

// programFolders are those in which programs are looked for, each once.
func programFolders() (folders []string) {
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin") {
		if filepath.IsAbs(folder) && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	return folders
}

// A noProgramError says where a program is not.
type noProgramError struct {
	name, tree string
	folders    []string
}

// Error implements error.
func (e *noProgramError) Error() string {
	where := " on this machine"
	if e.tree != "" {
		where = fmt.Sprintf(", neither in the tree %s nor on this machine", e.tree)
	}
	return fmt.Sprintf("there is no program %s%s (in %s)", e.name, where, strings.Join(e.folders, ", "))
}

// whence says where servers are to be had from, to whoever has named none of the machine's.
func (t trier) whence(err error) string {
	var missing *noProgramError
	if t.tree != "" || !errors.As(err, &missing) {
		return ""
	}
	return fmt.Sprintf(": `make servers` in a checkout of %s unpacks those of Debian's, and --tree .bin/servers/root has them tried", programs.Module)
}

// pack gathers what a guest gets.
func (t trier) pack(task exposure.Task) (*luggage.Luggage, error) {
	paths := []string{task.Server.Args[0]}
	if len(task.Client.Args) > 0 {
		paths = append(paths, task.Client.Args[0])
	}
	for _, brought := range t.bring {
		path, err := filepath.Abs(brought)
		if err != nil {
			return nil, fmt.Errorf("--bring %s: %w", brought, err)
		}
		paths = append(paths, path)
	}
	return luggage.Pack(t.trees(), paths)
}
