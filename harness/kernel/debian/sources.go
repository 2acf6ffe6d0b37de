package debian

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// aptMirrors returns the archives in the machine's apt sources, sources.list(5),
// in the order in which apt reads them.
func aptMirrors(machine fs.FS) ([]mirror, error) {
	files := []string{"etc/apt/sources.list"}
	more, err := fs.ReadDir(machine, "etc/apt/sources.list.d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range more {
		files = append(files, path.Join("etc/apt/sources.list.d", entry.Name()))
	}
	var found []mirror
	for _, name := range files {
		parse := parseSourcesList
		switch path.Ext(name) {
		case ".list":
		case ".sources":
			parse = parseSources
		default:
			continue
		}
		err := readLines(machine, name, func(r io.Reader) error {
			mirrors, err := parse(r)
			found = append(found, mirrors...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return expand(machine, found)
}

// parseSourcesList reads apt's one-line form, "deb [OPTION=VALUE ...] URI SUITE
// COMPONENT ...".
func parseSourcesList(r io.Reader) ([]mirror, error) {
	var found []mirror
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || !strings.ContainsAny(rest[:1], " \t[") {
			continue
		}
		rest = strings.TrimSpace(rest)
		var options string
		if strings.HasPrefix(rest, "[") {
			if options, rest, ok = strings.Cut(rest[1:], "]"); !ok {
				continue
			}
		}
		words := strings.Fields(rest)
		if len(words) < 2 {
			continue
		}
		source := mirror{uri: words[0]}
		debians := true
		for option := range strings.FieldsSeq(options) {
			name, value, _ := strings.Cut(option, "=")
			switch strings.ToLower(name) {
			case "signed-by":
				debians = signedByDebian(value)
			case "check-valid-until":
				source.expired = isNo(value)
			}
		}
		if debians {
			found = append(found, source)
		}
	}
	return found, lines.Err()
}

// parseSources reads apt's deb822 form.
func parseSources(r io.Reader) ([]mirror, error) {
	var found []mirror
	for fields, err := range paragraphs(r) {
		if err != nil {
			return nil, err
		}
		binary := false
		for kind := range strings.FieldsSeq(fields["types"]) {
			binary = binary || kind == "deb"
		}
		if !binary || isNo(fields["enabled"]) || !signedByDebian(fields["signed-by"]) {
			continue
		}
		for uri := range strings.FieldsSeq(fields["uris"]) {
			found = append(found, mirror{uri: uri, expired: isNo(fields["check-valid-until"])})
		}
	}
	return found, nil
}

// signedByDebian tells the sources that cannot hold Debian from those that may,
// by their Signed-By: a source whose keys are in a file that is not called after
// Debian is somebody else's. What is not a file, a key or its fingerprint, tells
// nothing.
func signedByDebian(signedBy string) bool {
	for word := range strings.FieldsFuncSeq(signedBy, func(r rune) bool { return strings.ContainsRune(" ,\n", r) }) {
		if !strings.HasPrefix(word, "/") {
			return true
		}
		if strings.HasPrefix(path.Base(word), "debian") {
			return true
		}
	}
	return signedBy == ""
}

// isNo understands the words that apt takes for no (apt.conf(5)).
func isNo(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "no", "false", "without", "off", "disable", "0":
		return true
	}
	return false
}

// expand replaces "mirror+file:LIST" by the mirrors in that list, apt-transport-
// mirror(1), and leaves out what is not fetched by HTTP, such as cdrom:.
func expand(machine fs.FS, sources []mirror) ([]mirror, error) {
	var found []mirror
	for _, source := range sources {
		list, ok := strings.CutPrefix(source.uri, "mirror+file:")
		if !ok {
			found = appendHTTP(found, source)
			continue
		}
		name := strings.TrimPrefix(path.Clean(list), "/")
		err := readLines(machine, name, func(r io.Reader) error {
			uris, err := parseMirrorList(r)
			for _, uri := range uris {
				found = appendHTTP(found, mirror{uri: uri, expired: source.expired})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// parseMirrorList reads lines of "URI [TAB OPTIONS]".
func parseMirrorList(r io.Reader) ([]string, error) {
	var uris []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			uris = append(uris, words[0])
		}
	}
	return uris, lines.Err()
}

// templateFile is what python-apt, which Debian and Ubuntu install with their
// software centres, knows about Debian's archive.
const templateFile = "usr/share/python-apt/templates/Debian.info"

// templateMirrors returns the archives that the distribution itself knows of,
// for machines whose own sources are of another one.
func templateMirrors(machine fs.FS) ([]mirror, error) {
	var found []mirror
	err := readLines(machine, templateFile, func(r io.Reader) error {
		uris, err := parseTemplates(r)
		for _, uri := range uris {
			found = appendHTTP(found, mirror{uri: uri})
		}
		return err
	})
	return found, err
}

// parseTemplates reads the BaseURI lines, of which there is one a suite.
func parseTemplates(r io.Reader) ([]string, error) {
	var uris []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if uri, ok := strings.CutPrefix(lines.Text(), "BaseURI:"); ok {
			uris = append(uris, strings.TrimSpace(uri))
		}
	}
	return uris, lines.Err()
}

// readLines hands a file of the machine to read. A file that is not there, or
// that only others may read, is like an empty one.
func readLines(machine fs.FS, name string, read func(io.Reader) error) error {
	file, err := machine.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := read(file); err != nil {
		return fmt.Errorf("/%s: %w", name, err)
	}
	return nil
}
