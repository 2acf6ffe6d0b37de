package kernel

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
)

// release keeps to what a version of Linux and its CONFIG_LOCALVERSION are made of, so
// that a release can stand in a line, in a table and in a path as it is.
var release = regexp.MustCompile(`^[0-9A-Za-z.+~_-]+$`)

// IsRelease says whether a text can be what uname -r prints.
func IsRelease(text string) bool { return release.MatchString(text) }

// BuiltRelease is the file of a tree in which a kernel has been built that says what
// uname -r prints in it.
const BuiltRelease = "include/config/kernel.release"

// ReadBuiltRelease reads that file of a tree. The error wraps fs.ErrNotExist where
// there is none.
func ReadBuiltRelease(tree string) (string, error) {
	path := filepath.Join(tree, BuiltRelease)
	text, err := readFile(path)
	if err != nil {
		return "", err
	}
	built := strings.TrimSpace(string(text))
	if !IsRelease(built) {
		return "", fmt.Errorf("%s: %.64q is no kernel's release", path, built)
	}
	return built, nil
}

// ReleaseOf is what uname -r prints in a kernel, by an x86 kernel's setup header
// (kernel_version), and empty where that does not tell, as with every arm64 kernel.
func ReleaseOf(path string) (string, error) {
	file, err := openKernel(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return releaseIn(file), nil
}

// maxVersion is how long the text is of which the release is the first word, in bytes.
const maxVersion = 512

func releaseIn(file io.ReaderAt) string {
	begin := make([]byte, headerEnd)
	if n, _ := file.ReadAt(begin, 0); n < len(begin) || !hasAt(begin, 0x202, "HdrS") {
		return ""
	}
	at := int64(binary.LittleEndian.Uint16(begin[0x20e:]))
	if at == 0 {
		return ""
	}
	text := make([]byte, maxVersion)
	n, _ := file.ReadAt(text, at+0x200)
	words := strings.Fields(strings.SplitN(string(text[:n]), "\x00", 2)[0])
	if len(words) == 0 || !IsRelease(words[0]) {
		return ""
	}
	return words[0]
}
