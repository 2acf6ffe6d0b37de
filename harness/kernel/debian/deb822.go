package debian

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strings"
)

// A paragraph is one block of "Field: value" lines, the form that Debian writes
// its indices in (deb822(5)). Names are in lower case. The lines of a value that
// goes on are joined by newlines.
type paragraph map[string]string

// maxLine bounds one line of an index, in bytes. The longest in Debian's are
// dependency lists of some tens of kilobytes.
const maxLine = 1 << 20

// paragraphs reads r paragraph by paragraph. Lines that start with # are
// comments. After an error there is nothing more.
func paragraphs(r io.Reader) iter.Seq2[paragraph, error] {
	return func(yield func(paragraph, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		fields, last := paragraph{}, ""
		for number := 1; lines.Scan(); number++ {
			line := strings.TrimRight(lines.Text(), " \t\r")
			switch {
			case line == "":
				if len(fields) > 0 && !yield(fields, nil) {
					return
				}
				fields, last = paragraph{}, ""
			case line[0] == '#':
			case line[0] == ' ' || line[0] == '\t':
				if last == "" {
					yield(nil, fmt.Errorf("line %d goes on with a field that never started", number))
					return
				}
				fields[last] += "\n" + strings.TrimLeft(line, " \t")
			default:
				name, value, ok := strings.Cut(line, ":")
				if !ok || name == "" {
					yield(nil, fmt.Errorf("line %d is no \"Field: value\": %.40q", number, line))
					return
				}
				last = strings.ToLower(name)
				fields[last] = strings.TrimSpace(value)
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, err)
			return
		}
		if len(fields) > 0 {
			yield(fields, nil)
		}
	}
}
