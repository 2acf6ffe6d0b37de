package catalogue_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/catalogue"
)

func TestNames(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var names []string
	for _, s := range catalogue.All() {
		g.Expect(s.Name).To(MatchRegexp(`^[a-z]+(/[a-z]+(-[a-z]+)*)$`))
		names = append(names, s.Name)
	}
	g.Expect(names).NotTo(BeEmpty())
	g.Expect(slices.IsSorted(names)).To(BeTrue(), "%q", names)
	g.Expect(slices.Compact(slices.Clone(names))).To(Equal(names))
}

func TestEachServerIsWhole(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`\{[a-zA-Z]+\}`)
	for _, s := range catalogue.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			in, err := s.In(treeOf(s), "/a/folder")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(in.Args[0]).To(HavePrefix("/"))
			g.Expect(path.Clean(in.Args[0])).To(Equal(in.Args[0]))
			for name := range in.Files {
				g.Expect(name).To(Equal(path.Base(name)), "a file's name")
			}
			told := strings.Join(append(slices.Collect(maps.Values(in.Files)), in.Args...), "\n")
			g.Expect(told).To(ContainSubstring("/a/folder"))
			g.Expect(in.Args).NotTo(ContainElement(ContainSubstring("*")))
			g.Expect(placeholder.FindAllString(told, -1)).To(BeEmpty())
			g.Expect(strings.Count(told, fmt.Sprint(s.Listen.Port()))).To(Equal(1), "its port, in\n%s", told)
			g.Expect(s.Listen.Addr().IsUnspecified()).To(BeTrue())
			for _, pattern := range append(slices.Clone(s.Brings), s.Package) {
				_, err := path.Match(pattern, "")
				g.Expect(err).NotTo(HaveOccurred(), pattern)
			}
			g.Expect(slices.DeleteFunc(slices.Clone(s.Brings), path.IsAbs)).To(BeEmpty())
			g.Expect(s.Package).NotTo(BeEmpty())
			g.Expect(s.Answer).NotTo(BeEmpty())
			g.Expect(s.Ends.String()).NotTo(HavePrefix("Ending("))
			const octets = 1500 - 20 - 20 - 12 // of Ethernet, less IPv4's and TCP's headers and timestamps
			g.Expect(len(s.Request)).To(BeNumerically("<=", octets))
		})
	}
}

// Among the servers of each program is one that leaves the end to the client,
// and there is no way to end that none of them has.
func TestEndings(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	seen := map[catalogue.Ending]bool{}
	waits := map[string]bool{}
	for _, s := range catalogue.All() {
		program := path.Dir(s.Name)
		seen[s.Ends] = true
		waits[program] = waits[program] || s.Ends == catalogue.Second
	}
	g.Expect(waits).To(HaveEach(BeTrue()))
	texts := map[string]bool{}
	for ending := range seen {
		texts[ending.String()] = true
	}
	g.Expect(texts).To(HaveLen(int(catalogue.Second)))
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for _, s := range catalogue.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			check := checkHTTP
			switch path.Dir(s.Name) {
			case "redis":
				check = checkRedis
			case "postgresql":
				check = checkPostgreSQL
			}
			g.Expect(check(s.Request)).To(Succeed(), "%q", s.Request)
		})
	}
}

// checkHTTP says whether text is whole requests of HTTP/1.1, bodies and all.
func checkHTTP(text string) error {
	reader := bufio.NewReader(strings.NewReader(text))
	for {
		request, err := http.ReadRequest(reader)
		if err == io.EOF { //nolint:errorlint // ReadRequest returns it as it is: no request has begun
			return nil
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return err
		}
		if request.ContentLength != int64(len(body)) {
			return fmt.Errorf("a body has %d octets of %d", len(body), request.ContentLength)
		}
	}
}

// checkRedis says whether text is whole commands of one word, as RESP has them.
func checkRedis(text string) error {
	for text != "" {
		var word string
		var length int
		if _, err := fmt.Sscanf(text, "*1\r\n$%d\r\n%s\r\n", &length, &word); err != nil {
			return err
		}
		if length != len(word) {
			return fmt.Errorf("%s has not %d octets", word, length)
		}
		text = strings.TrimPrefix(text, fmt.Sprintf("*1\r\n$%d\r\n%s\r\n", length, word))
	}
	return nil
}

// checkPostgreSQL says whether text is a whole StartupMessage, alone or with
// whole messages behind it.
func checkPostgreSQL(text string) error {
	const version = 3 << 16
	if len(text) < 8 || binary.BigEndian.Uint32([]byte(text[4:])) != version {
		return fmt.Errorf("it begins with no StartupMessage of protocol 3.0")
	}
	for length := text; text != ""; length = text[min(1, len(text)):] {
		if len(length) < 4 {
			return fmt.Errorf("%q has no length", text)
		}
		end := len(text) - len(length) + int(binary.BigEndian.Uint32([]byte(length)))
		if end > len(text) {
			return fmt.Errorf("%q is cut short: it has %d of %d octets", text, len(text), end)
		}
		text = text[end:]
	}
	return nil
}

// treeOf returns a tree with what a server's patterns match.
func treeOf(s catalogue.Server) fstest.MapFS {
	tree := fstest.MapFS{}
	version := strings.NewReplacer("*-linux-gnu", "x86_64-linux-gnu", "[0-9]*", "11", "*", "15")
	for _, pattern := range append(slices.Clone(s.Args), s.Brings...) {
		if path.IsAbs(pattern) {
			tree[strings.TrimPrefix(version.Replace(pattern)+"/any", "/")] = &fstest.MapFile{}
		}
	}
	return tree
}

func TestInLeavesTheServerAsItIs(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	for _, s := range catalogue.All() {
		here, err := s.In(treeOf(s), "/here")
		g.Expect(err).NotTo(HaveOccurred())
		there, err := s.In(treeOf(s), "/there")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(there).NotTo(Equal(here))
		again, err := here.In(treeOf(s), "/there")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(again).To(Equal(here))
	}
}

func TestIn(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	tree := fstest.MapFS{
		"usr/lib/python3.11/os.py":        {},
		"usr/lib/python3/dist-packages/x": {},
		"usr/lib/db/9/bin/db":             {},
		"usr/lib/db/10/bin/db":            {},
		"usr/bin/python3.11":              {},
	}
	s := catalogue.Server{
		Name:   "a/server",
		Files:  map[string]string{"conf": "{dir}/log"},
		Args:   []string{"/bin/sh", "{dir}/conf", "/usr/lib/python3*/os.py", "-c {it}"},
		Brings: []string{"/usr/lib/python3.[0-9]*", "/usr/lib/db/*"},
	}
	in, err := s.In(tree, "/run/it")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(in.Files).To(Equal(map[string]string{"conf": "/run/it/log"}))
	g.Expect(in.Args).To(Equal([]string{"/bin/sh", "/run/it/conf", "/usr/lib/python3.11/os.py", "-c {it}"}))
	g.Expect(in.Brings).To(Equal([]string{"/usr/lib/python3.11", "/usr/lib/db/10", "/usr/lib/db/9"}))

	for want, change := range map[string]func(*catalogue.Server){
		"a/server brings: /usr/share/none: the tree has none; make -B servers": func(s *catalogue.Server) {
			s.Brings = []string{"/usr/bin/python3.11", "/usr/share/none"}
		},
		"a/server brings: /usr/[: syntax error in pattern": func(s *catalogue.Server) { s.Brings = []string{"/usr/["} },
		"a/server starts: /sbin/*: the tree has none":      func(s *catalogue.Server) { s.Args = []string{"/sbin/*"} },
		"/usr/lib/db/*/bin is more than one path": func(s *catalogue.Server) {
			s.Args = []string{"/usr/lib/db/*/bin"}
		},
	} {
		wrong := s
		change(&wrong)
		_, err := wrong.In(tree, "/run/it")
		g.Expect(err).To(MatchError(ContainSubstring(want)))
	}
}
