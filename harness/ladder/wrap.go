package ladder

import "strings"

// wrap breaks a text at its spaces into lines of at most so many characters; a word
// that is longer is broken, too.
func wrap(text string, columns int) []string {
	var (
		out  []string
		now  []rune
		room = max(columns, 1)
	)
	for _, word := range strings.Fields(text) {
		letters := []rune(word)
		if len(now) > 0 && len(now)+1+len(letters) > room {
			out, now = append(out, string(now)), nil
		}
		if len(now) > 0 {
			now = append(now, ' ')
		}
		for now = append(now, letters...); len(now) > room; {
			end := room
			if slash := strings.LastIndex(string(now[:room]), "/"); slash >= 0 {
				end = len([]rune(string(now[:room])[:slash+1]))
			}
			out, now = append(out, string(now[:end])), now[end:]
		}
	}
	if len(now) > 0 {
		out = append(out, string(now))
	}
	return out
}
