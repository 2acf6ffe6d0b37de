package report

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// again are the commands by which a scenario is played again: one for each kernel that
// it was compared on, and of no other scenario of all.
func (r Run) again(name string, all []string) (commands []string) {
	filter := filterOf(name, all)
	command := func(kernels ...*Record) string {
		words := []string{"gate", "run"}
		if len(kernels) > 1 {
			words = append(words, "--baseline")
		}
		for _, record := range kernels {
			words = append(words, quote(record.Kernel.Source))
		}
		words = append(words, "--label-filter", quote(filter))
		last := kernels[len(kernels)-1]
		if last.Clock == "real" && last.Accelerator != "" {
			words = append(words, "--clock", "real")
		}
		if s := last.find(name); !s.Race && max(len(s.Trials), len(s.Observations)) > 1 {
			words = append(words, "--trials", strconv.Itoa(max(len(s.Trials), len(s.Observations))))
		}
		return strings.Join(words, " ")
	}
	if len(r.Comparisons) == 0 {
		for _, record := range r.Records {
			commands = append(commands, command(record))
		}
		return commands
	}
	for _, candidate := range r.Records[1:] {
		commands = append(commands, command(r.Records[0], candidate))
	}
	return commands
}

// filterOf is the label filter that leaves one of all scenarios. Each part of a name is
// a label, so a name that has all parts of this one and more has to be kept out by
// one of those.
func filterOf(name string, all []string) string {
	parts := strings.Split(name, "/")
	filter := strings.Join(parts, " && ")
	var others [][]string
	for _, other := range all {
		labels := strings.Split(other, "/")
		if other != name && !slices.ContainsFunc(parts, func(p string) bool { return !slices.Contains(labels, p) }) {
			others = append(others, slices.DeleteFunc(labels, func(l string) bool { return slices.Contains(parts, l) }))
		}
	}
	for len(others) > 0 {
		out := mostFrequent(others)
		if out == "" {
			break // the same labels in another order: no filter tells them apart
		}
		filter += " && !" + out
		others = slices.DeleteFunc(others, func(labels []string) bool { return slices.Contains(labels, out) })
	}
	return filter
}

// mostFrequent is the label that most of the lists have, the first by name of several.
func mostFrequent(lists [][]string) (label string) {
	counts := map[string]int{}
	for _, labels := range lists {
		for _, l := range labels {
			counts[l]++
		}
	}
	for l, n := range counts {
		if n > counts[label] || n == counts[label] && l < label {
			label = l
		}
	}
	return label
}

// plain words mean to a shell what they are.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9/.:+~_=,@%-]+$`)

// quote keeps a shell from taking a word for anything else: what stands in a record can
// come from anywhere, and the command is there to be copied.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
