package programs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
)

// Module is the one that the programs are packages of.
const Module = "github.com/finwait/finwait"

// A program is a file, and the package of the module that it is made of.
type program struct {
	name string
	pkg  string
	// command makes it, without what the command wants to know of every program.
	command []string
}

// program is the suite's test binary.
func (s Suite) program() program {
	return program{path.Base(string(s)) + ".test", string(s), []string{"test", "-c"}}
}

// guestInit is the init of a guest.
var guestInit = program{"init", "harness/vm/init", []string{"build"}}

// compile has Go make the program for an architecture, in a folder.
func (p program) compile(ctx context.Context, arch, folder string) error {
	args := slices.Concat(p.command, []string{
		"-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(folder, p.name), Module + "/" + p.pkg,
	})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if output, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("build the suite: %w", context.Cause(ctx))
		}
		return fmt.Errorf("build the suite (a gate that is no release has to be started in a checkout of %s, with Go in PATH): go %s: %w\n%s",
			Module, args[0], err, bytes.TrimSpace(output))
	}
	return nil
}
