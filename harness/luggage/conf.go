package luggage

import (
	"fmt"
	"io"
	"path"
	"strings"
)

const (
	confPath = "/etc/ld.so.conf"
	maxConf  = 1 << 20 // octets
)

// readConf gives the folders that ldconfig(8) makes its cache of: those in
// /etc/ld.so.conf and in what that includes, in their order.
func readConf(v view) ([]string, error) {
	c := conf{view: v, seen: map[string]bool{}}
	err := c.read(confPath)
	return c.folders, err
}

// conf is what was read of ld.so.conf and what it includes.
type conf struct {
	view    view
	seen    map[string]bool // files, which may include one another
	folders []string
}

// read reads a file, and what a line of it includes before the next line
// (elf/ldconfig.c of glibc, parse_conf).
func (c *conf) read(name string) error {
	if c.seen[name] {
		return nil
	}
	c.seen[name] = true
	text, err := c.view.read(name, maxConf)
	if isNowhere(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for line := range strings.Lines(string(text)) {
		folders, includes := parseConf(line)
		c.folders = append(c.folders, folders...)
		for _, pattern := range includes {
			if err := c.include(name, pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

// include reads the files that match a pattern, which is one in the including file's own
// folder where it is not absolute.
func (c *conf) include(from, pattern string) error {
	if !path.IsAbs(pattern) {
		pattern = path.Join(path.Dir(from), pattern)
	}
	found, err := c.view.glob(pattern)
	if err != nil {
		return fmt.Errorf("%s: include %s: %w", from, pattern, err)
	}
	for _, name := range found {
		if err := c.read(name); err != nil {
			return err
		}
	}
	return nil
}

// parseConf gives the folders on a line, or the patterns of the files that it includes.
func parseConf(line string) (folders, includes []string) {
	line, _, _ = strings.Cut(line, "#")
	words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n\f\v,:", r) })
	if len(words) > 0 && words[0] == "include" {
		return nil, words[1:]
	}
	for _, word := range words {
		folder, _, _ := strings.Cut(word, "=") // what comes then is a kind of library
		if path.IsAbs(folder) {
			folders = append(folders, path.Clean(folder))
		}
	}
	return folders, nil
}

// readAtMost reads all that there is, which has to be within a limit, in octets.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("it has more than %d octets", limit)
	}
	return content, err
}
