package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/finwait/finwait/ci"
	"github.com/finwait/finwait/harness/behaviour"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/report"
)

// Expectations are what pinned kernels are to answer.
type expectations struct {
	// source is the file that they are from.
	source string
	// answers are by a kernel, whose architecture is always named, and then by a
	// question's name.
	answers map[kernel.Reference]map[string]string
}

// loadExpectations reads a file, or, where none is named, what the gate was built with.
func loadExpectations(path string) (expectations, error) {
	text, source := ci.Behaviours, ci.BehavioursFile
	if path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return expectations{}, fmt.Errorf("--expect: %w", err)
		}
		source = path
	}
	answers, err := readExpectations(text)
	if err != nil {
		return expectations{}, fmt.Errorf("%s: %w", source, err)
	}
	return expectations{source: source, answers: answers}, nil
}

// readExpectations reads the YAML of expectations. An error names the line.
func readExpectations(text []byte) (map[kernel.Reference]map[string]string, error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one document of YAML")
	}
	if len(document.Content) == 0 {
		return nil, errors.New("it expects nothing: want debian/VERSION, and its answers below it")
	}
	kernels, err := entries(document.Content[0])
	if err != nil {
		return nil, err
	}
	all := map[kernel.Reference]map[string]string{}
	lines := map[kernel.Reference]int{}
	for _, k := range kernels {
		ref, err := pinned(k.key.Value)
		if err != nil {
			return nil, at(k.key, err)
		}
		if line, twice := lines[ref]; twice {
			return nil, at(k.key, fmt.Errorf("%s is the kernel of line %d already", k.key.Value, line))
		}
		lines[ref] = k.key.Line
		if all[ref], err = readAnswers(k.value); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// pinned is a KERNEL argument that means one kernel for ever. One that names no
// architecture is for amd64, whatever machine reads it.
func pinned(name string) (kernel.Reference, error) {
	ref, err := kernel.Parse(name)
	if err != nil {
		return kernel.Reference{}, err
	}
	if ref.Origin != kernel.DebianVersion || !strings.Contains(ref.Name, "-") {
		return kernel.Reference{}, fmt.Errorf("%s may be another kernel tomorrow: want debian/VERSION with its Debian revision, such as debian/6.1.170-1", name)
	}
	_, arch, _ := strings.Cut(name, ":") // Parse leaves out that of the machine
	return debianKernel(ref.Name, arch), nil
}

// debianKernel is a package of Debian's as the expectations have it.
func debianKernel(version, arch string) kernel.Reference {
	return kernel.Reference{Origin: kernel.DebianVersion, Name: version, Arch: cmp.Or(kernel.Arch(arch), kernel.AMD64)}
}

// of are the answers that are expected of a kernel, if any are. A file that calls itself
// as a package of Debian's does need not be it.
func (e expectations) of(k report.Kernel) (answers map[string]string, expected bool) {
	if !strings.HasPrefix(k.Source, "debian/") {
		return nil, false
	}
	answers, expected = e.answers[debianKernel(k.Version, k.Arch)]
	return answers, expected
}

// readAnswers reads a kernel's.
func readAnswers(node *yaml.Node) (map[string]string, error) {
	given, err := entries(node)
	if err != nil {
		return nil, err
	}
	answers := map[string]string{}
	for _, a := range given {
		name, words := a.key.Value, a.value.Value
		question, found := questionOf(name)
		switch {
		case !found:
			return nil, at(a.key, fmt.Errorf("there is no question %q: `gate behaviours` lists them", name))
		case a.value.Kind != yaml.ScalarNode || !question.HasAnswer(words):
			return nil, at(a.value, fmt.Errorf("%q is no answer to %s: there are %s", words, name, listed(question)))
		}
		answers[name] = words
	}
	return answers, nil
}

// questionOf finds a question by its name.
func questionOf(name string) (q behaviour.Question, found bool) {
	for _, q := range behaviour.All() {
		if q.Name == name {
			return q, true
		}
	}
	return behaviour.Question{}, false
}

// listed are a question's answers.
func listed(q behaviour.Question) string {
	var words []string
	for _, a := range q.Answers {
		words = append(words, fmt.Sprintf("%q", a.Words))
	}
	return strings.Join(words, ", ")
}

// An entry of a mapping.
type entry struct{ key, value *yaml.Node }

// entries are those of a mapping from words, in their order.
func entries(node *yaml.Node) (found []entry, err error) {
	if node.Kind != yaml.MappingNode {
		return nil, at(node, errors.New("want a mapping of YAML, KEY: VALUE in each line"))
	}
	lines := map[string]int{}
	for pair := range slices.Chunk(node.Content, 2) {
		key := pair[0]
		if key.Kind != yaml.ScalarNode {
			return nil, at(key, errors.New("want a word before the colon"))
		}
		if line, twice := lines[key.Value]; twice {
			return nil, at(key, fmt.Errorf("%s is in line %d already", key.Value, line))
		}
		lines[key.Value] = key.Line
		found = append(found, entry{key: key, value: pair[1]})
	}
	return found, nil
}

// at says in which line something is wrong.
func at(node *yaml.Node, err error) error { return fmt.Errorf("line %d: %w", node.Line, err) }
