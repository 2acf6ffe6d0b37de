package report

// Shows is what the scenario came to, in a few words: how it ended, or the answer of a
// behaviour. Where it ended as it should but missed what else was asked of it, the words
// say so, and are not those of Expected. Where it came to nothing there are no words,
// and why says what kept it from that.
func (s Scenario) Shows() (words, why string) {
	switch {
	case !conclusive(s):
		return "", s.whyNot()
	case s.asksBehaviour():
		return s.Observed, ""
	}
	words = string(s.Outcome)
	if missed := s.unmet(); len(missed) > 0 {
		words += ", but it was " + missed[0]
	}
	return words, ""
}
