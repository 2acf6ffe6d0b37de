// Package packetdrill writes one teardown as a script for google/packetdrill: one end's
// kernel is under test, and packetdrill plays its peer. What arrived at the end's tap is
// injected, what the end sent is expected, and its program's calls are made, so that a
// kernel that does as the recorded one passes and every other fails. Not compared are the
// windows that a kernel offers and the values of its timestamps. It is pure: it writes
// what was recorded, and makes no system call.
//
// A script can run commands, and whoever runs it is root. So nothing of a record reaches
// one as it is: numbers are written anew, names are looked up, and what is said in
// comments is reduced to printable ASCII.
package packetdrill

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/teardown"
)

// An Origin says what a trial is of.
type Origin struct {
	// Scenario is its name.
	Scenario string
	// Kernel is the release of the kernel that it was played on.
	Kernel string
}

// Write writes the script of a trial. The server is under test, or the client where
// only the client's kernel gave the connection up. A trial that packetdrill could not
// play, or that the record does not tell enough of, is an error that says why not; then
// nothing has been written.
func Write(w io.Writer, from Origin, t teardown.Trial) error {
	text, err := write(from, t)
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return fmt.Errorf("write a packetdrill script: %w", err)
	}
	return nil
}

func write(from Origin, t teardown.Trial) ([]byte, error) {
	if err := scriptable(t); err != nil {
		return nil, err
	}
	s := &script{trial: &t, side: underTest(t)}
	s.end = t.Exchange.End(s.side)
	set, err := settingsOf(s)
	if err != nil {
		return nil, err
	}
	if err := s.play(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(header(from, s))
	out.WriteString(set.String())
	out.WriteString(s.String())
	return out.Bytes(), nil
}

// underTest is the end whose kernel the scenario is about.
func underTest(t teardown.Trial) segment.Side {
	_, client := t.GivenUp[segment.Client]
	_, server := t.GivenUp[segment.Server]
	if client && !server {
		return segment.Client
	}
	return segment.Server
}

// scriptable says what keeps a trial from being a script, whatever its segments are.
func scriptable(t teardown.Trial) error {
	x := t.Exchange
	switch {
	case x == nil:
		return errors.New("the trial has no exchange")
	case len(x.Doubts) > 0:
		return fmt.Errorf("what was recorded is in doubt (%s): play it again", plain(strings.Join(x.Doubts, "; ")))
	case t.Outcome == teardown.Inconclusive:
		return fmt.Errorf("the trial did not show what it set out to show (%s): play it again", plain(strings.Join(t.Why, "; ")))
	case x.Reopening != nil:
		return errors.New("the client opened a second connection, and packetdrill follows one")
	case x.End(underTest(t)).Setup == nil:
		return fmt.Errorf("the record does not say how the %v was set up: play it again with this version", underTest(t))
	}
	return nil
}

// longest is how much of one text a comment or an error has, in octets.
const longest = 200

// plain is a text that can stand in a comment: one line of printable ASCII, without the
// mark that commands stand in.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '`' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), longest)]
}
