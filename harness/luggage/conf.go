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
	var folders []string
	seen := map[string]bool{}
	for files := []string{confPath}; len(files) > 0; {
		name := files[0]
		files = files[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		text, err := v.read(name, maxConf)
		if isNowhere(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		in, includes := parseConf(text)
		folders = append(folders, in...)
		var included []string
		for _, pattern := range includes {
			if !path.IsAbs(pattern) {
				pattern = path.Join(path.Dir(name), pattern)
			}
			found, err := v.glob(pattern)
			if err != nil {
				return nil, fmt.Errorf("%s: include %s: %w", name, pattern, err)
			}
			included = append(included, found...)
		}
		files = append(included, files...)
	}
	return folders, nil
}

// parseConf gives the folders in a file, and the patterns of those that it includes.
func parseConf(text []byte) (folders, includes []string) {
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n\f\v,:", r) })
		if len(words) > 0 && words[0] == "include" {
			includes = append(includes, words[1:]...)
			continue
		}
		for _, word := range words {
			folder, _, _ := strings.Cut(word, "=") // what comes then is a kind of library
			if path.IsAbs(folder) {
				folders = append(folders, path.Clean(folder))
			}
		}
	}
	return folders, includes
}

// readAtMost reads all that there is, which has to be within a limit, in octets.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("it has more than %d octets", limit)
	}
	return content, err
}
