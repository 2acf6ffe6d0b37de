package luggage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// maxFirstLine is how much of a script the kernel looks at, in octets (linux/binfmts.h,
// BINPRM_BUF_SIZE).
const maxFirstLine = 256

// searched are the folders in which env(1) looks for a program in the guest.
var searched = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// script brings the program that a script is started with. A file that has no #! line
// needs nothing.
func (p *packer) script(of node) error {
	begin, err := firstOctets(of.host, maxFirstLine)
	if err != nil {
		return err
	}
	interpreter, argument, ok := parseScript(begin)
	if !ok {
		return nil
	}
	if err := p.bringProgram(interpreter); err != nil {
		return fmt.Errorf("the program of its #! line, %s: %w", interpreter, err)
	}
	program := envProgram(argument)
	if path.Base(interpreter) != "env" || program == "" {
		return nil
	}
	if path.IsAbs(program) {
		return p.bringProgram(program)
	}
	for _, folder := range searched {
		name := path.Join(folder, program)
		if _, to, err := p.view.resolve(name); err == nil && to.info.Mode().IsRegular() {
			return p.bringProgram(name)
		}
	}
	return fmt.Errorf("%s, which its #! line asks env for, is in none of %s", program, strings.Join(searched, ", "))
}

// firstOctets reads as much as there is of the beginning of a file.
func firstOctets(host string, limit int) ([]byte, error) {
	file, err := os.Open(host)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	begin := make([]byte, limit)
	n, err := io.ReadFull(file, begin)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return begin[:n], nil
}

// parseScript reads a #! line as the kernel does (execve(2)): an interpreter, and at most
// one argument.
func parseScript(begin []byte) (interpreter, argument string, ok bool) {
	line, found := bytes.CutPrefix(begin, []byte("#!"))
	if !found {
		return "", "", false
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	text := strings.Trim(string(line), " \t")
	end := len(text)
	if at := strings.IndexAny(text, " \t"); at >= 0 {
		end = at
	}
	return text[:end], strings.Trim(text[end:], " \t"), end > 0
}

// valued are the options of env(1) whose value is the next word, where it is not in theirs.
var valued = []string{"-u", "--unset", "-C", "--chdir", "-a", "--argv0"}

// envProgram is the program among the arguments of env(1), which options and variables
// come before.
func envProgram(arguments string) string {
	isValue := false
	for word := range strings.FieldsSeq(arguments) {
		switch {
		case isValue:
			isValue = false
		case strings.HasPrefix(word, "-"):
			isValue = slices.Contains(valued, word)
		case !strings.Contains(word, "="):
			return word
		}
	}
	return ""
}
