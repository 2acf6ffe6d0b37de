package main

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// commands are those of gate's that are not cobra's own.
func commands(cmd *cobra.Command) (all []*cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.Name() != "completion" && c.Name() != "help" {
			all = append(append(all, c), commands(c)...)
		}
	}
	return all
}

// heldAgainst parses a command line as gate would, up to where it would begin to work.
func heldAgainst(root *cobra.Command, words []string) error {
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return cmd.ValidateFlagGroups()
}

// gateWords are the arguments of the gate that a line of a shell runs, if it runs one:
// behind a prompt, sudo or a path, before a pipe, a redirection or a comment.
func gateWords(line string) (words []string, found bool) {
	for _, word := range regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s]+`).FindAllString(line, -1) {
		switch {
		case found && (word == "|" || word == "&&" || word == "||" || strings.HasPrefix(word, "#") || strings.HasPrefix(word, ">")):
			return words, true
		case found:
			words = append(words, strings.Trim(word, `'"`))
		case word == "gate", strings.HasSuffix(word, "/gate"):
			found = true
		case word != "sudo" && word != "$":
			return nil, false
		}
	}
	return words, found
}

func TestEachCommandShowsExamplesThatAreCommandLines(t *testing.T) {
	for _, cmd := range commands(command()) {
		t.Run(cmd.Name(), func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			g.Expect(cmd.Example).NotTo(BeEmpty())
			g.Expect(cmd.Short).NotTo(BeEmpty())
			for line := range strings.Lines(cmd.Example) {
				words, found := gateWords(line)
				g.Expect(found).To(BeTrue(), "%q runs no gate", line)
				g.Expect(words[0]).To(Equal(cmd.Name()), "the example is one of another command")
				g.Expect(heldAgainst(command(), words)).To(Succeed(), line)
			}
		})
	}
}

func TestWhatIsNoCommandLineIsSeen(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"gate rum host", "gate run --baselin host", "gate compare one.json", "gate kernels --json now",
		"gate matrix m.yaml --shard 0/1 --join", "sudo .bin/gate run --trials many host",
	} {
		g := NewWithT(t)
		words, found := gateWords(line)
		g.Expect(found).To(BeTrue(), line)
		g.Expect(heldAgainst(command(), words)).NotTo(Succeed(), line)
	}
}

// What manifests and workflows have gate do is a command line, too.
func TestManifestsAndWorkflowsRunGate(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	seen := 0
	hold := func(from string, words []string) {
		seen++
		g.Expect(heldAgainst(command(), words)).To(Succeed(), "%s: %q", from, words)
		for i, word := range words[1:] {
			if words[i] == "--label-filter" {
				_, err := types.ParseLabelFilter(word)
				g.Expect(err).NotTo(HaveOccurred(), from)
			}
		}
	}
	_, err := readMatrix("../kubernetes/matrix.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range []string{"matrix-job", "verdict-job", "nodes"} {
		var manifest struct {
			Spec struct {
				Template struct {
					Spec struct {
						InitContainers []struct{ Args []string } `yaml:"initContainers"`
						Containers     []struct{ Args []string }
					}
				}
			}
		}
		text, err := os.ReadFile("../kubernetes/" + name + ".yaml")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(yaml.Unmarshal(text, &manifest)).To(Succeed())
		pod := manifest.Spec.Template.Spec
		for _, container := range append(pod.InitContainers, pod.Containers...) {
			if len(container.Args) > 0 {
				hold(name, container.Args)
			}
		}
	}
	workflow, err := os.ReadFile("../../.github/workflows/gate.yml")
	g.Expect(err).NotTo(HaveOccurred())
	for _, line := range regexp.MustCompile(`(?m)^ +arguments: (.+)$`).FindAllStringSubmatch(string(workflow), -1) {
		words, _ := gateWords("gate " + regexp.MustCompile(`\$\{\{.*?\}\}`).ReplaceAllString(line[1], "0/1"))
		hold("gate.yml", words)
	}
	g.Expect(seen).To(Equal(5))
}

// commandLines are the lines of a page that run gate, with backslashes at their ends
// taken out: those in fenced or indented blocks, and what stands between backticks.
func commandLines(t *testing.T, path string) (lines []string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fenced, begun := false, ""
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		line := scanner.Text()
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if fenced || strings.HasPrefix(line, "    ") {
			part, goesOn := strings.CutSuffix(line, `\`)
			if begun += part; !goesOn {
				lines = append(lines, begun)
				begun = ""
			}
			continue
		}
		for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
			lines = append(lines, quoted[1])
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// Whoever copies a line out of the documentation can run it.
func TestTheDocumentationShowsCommandLines(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md", "../../CHANGELOG.md") {
		g := NewWithT(t)
		for _, line := range commandLines(t, page) {
			words, found := gateWords(line)
			if !found || len(words) < 2 {
				continue // the name of a command in a sentence
			}
			seen++
			g.Expect(heldAgainst(command(), words)).To(Succeed(), "%s: %s", page, line)
		}
	}
	NewWithT(t).Expect(seen).To(BeNumerically(">", 10), "next to nothing was held against the command")
}
