package debian

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// aptAcceptsExpired tells whether the machine's administrator has told apt to
// use indices past their Valid-Until: Acquire::Check-Valid-Until "false" in
// apt.conf(5).
func aptAcceptsExpired(machine fs.FS) (bool, error) {
	var names []string
	parts, err := fs.ReadDir(machine, "etc/apt/apt.conf.d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for _, part := range parts {
		// apt reads the parts first, and of those no other endings.
		if ext := path.Ext(part.Name()); !part.IsDir() && (ext == "" || ext == ".conf") {
			names = append(names, path.Join("etc/apt/apt.conf.d", part.Name()))
		}
	}
	accepts := false
	for _, name := range append(names, "etc/apt/apt.conf") {
		text, err := fs.ReadFile(machine, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if value, ok := aptSetting(string(text), "acquire::check-valid-until"); ok {
			accepts = isNo(value)
		}
	}
	return accepts, nil
}

// aptSetting finds the last value of a setting, whose name is in lower case, in
// a text of the form of apt.conf(5): NAME "VALUE"; with names joined by :: or
// nested in braces.
func aptSetting(text, name string) (value string, found bool) {
	var scopes []string
	var words []string
	for _, token := range aptTokens(text) {
		switch token {
		case "{":
			scopes = append(scopes, strings.Join(words, ""))
			words = nil
		case "}":
			if len(scopes) > 0 {
				scopes = scopes[:len(scopes)-1]
			}
			words = nil
		case ";":
			if len(words) == 2 && strings.EqualFold(strings.Join(append(scopes[:len(scopes):len(scopes)], words[0]), "::"), name) {
				value, found = strings.Trim(words[1], `"`), true
			}
			words = nil
		default:
			words = append(words, token)
		}
	}
	return value, found
}

// aptTokens splits a text into words, quoted strings (with their quotes), braces
// and semicolons, and leaves the comments out.
func aptTokens(text string) []string {
	var tokens []string
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		end := 0
		switch {
		case text == "":
			return tokens
		case text[0] == '#' || strings.HasPrefix(text, "//"):
			_, text, _ = strings.Cut(text, "\n")
			continue
		case strings.HasPrefix(text, "/*"):
			_, text, _ = strings.Cut(text, "*/")
			continue
		case strings.ContainsRune("{};", rune(text[0])):
			end = 1
		case text[0] == '"':
			if end = strings.IndexByte(text[1:], '"') + 2; end == 1 {
				end = len(text)
			}
		default:
			if end = strings.IndexAny(text, " \t\r\n{};\""); end < 0 {
				end = len(text)
			}
		}
		tokens = append(tokens, text[:end])
		text = text[end:]
	}
}
