package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Salvage reads what can be read of a record file that [Load] may refuse: one of another
// schema, one that is cut short, or one that was edited by hand. What was left out is
// named in the record's Damage, and the record is incomplete then, so that no verdict
// that rests on it is better than inconclusive. A file of which no scenario can be
// read is an error.
func Salvage(path string) (*Record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a record: %w", err)
	}
	r, err := salvage(text)
	if err != nil {
		return nil, fmt.Errorf("read the record %s: %w", path, err)
	}
	return r, nil
}

func salvage(text []byte) (*Record, error) {
	r, strict := parse(text)
	if strict == nil {
		return r, nil
	}
	r = &Record{Schema: Schema, Scenarios: []Scenario{}}
	r.readParts(text)
	if len(r.Scenarios) == 0 {
		return nil, strict
	}
	if r.Schema != Schema {
		r.damaged("it has schema %d, and this program reads schema %d: what it shows is what the two have in common", r.Schema, Schema)
		r.Schema = Schema
	}
	if r.Kernel.Source == "" {
		r.damaged("it does not say which kernel it is of")
		r.Kernel.Source = "a kernel without a name"
	}
	if r.Clock == "" {
		r.damaged("it does not say by which clock the kernel ran")
	}
	if len(r.Damage) == 0 {
		r.damaged("%v", strict)
	}
	why := fmt.Sprintf("of its record, %s could not be read: %s", plural(len(r.Damage), "part"), r.Damage[0])
	if r.Incomplete != "" {
		why = r.Incomplete + "; " + why
	}
	r.Incomplete = why
	return r, nil
}

func (r *Record) damaged(format string, args ...any) {
	r.Damage = append(r.Damage, fmt.Sprintf(format, args...))
}

// readParts reads the record part by part, as far as it is JSON.
func (r *Record) readParts(text []byte) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		r.damaged("it does not begin as a record does")
		return
	}
	parts := map[string]any{
		"schema": &r.Schema, "kernel": &r.Kernel, "clock": &r.Clock, "accelerator": &r.Accelerator,
		"environment": &r.Environment, "incomplete": &r.Incomplete, "unheard": &r.Unheard,
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			r.endsEarly(err)
			return
		}
		name, _ := key.(string)
		if name == "scenarios" {
			err = r.readScenarios(decoder)
		} else {
			var part json.RawMessage
			if err = decoder.Decode(&part); err == nil && parts[name] != nil {
				if bad := json.Unmarshal(part, parts[name]); bad != nil {
					r.damaged("its %q is not what a record says there: %v", name, bad)
				}
			}
		}
		if err != nil {
			r.endsEarly(err)
			return
		}
	}
	if _, err := decoder.Token(); err != nil {
		r.endsEarly(err)
	} else if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		r.damaged("there is something after its end")
	}
}

func (r *Record) endsEarly(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.damaged("it is cut short after %s", plural(len(r.Scenarios), "scenario"))
		return
	}
	r.damaged("after %s it is no JSON: %v", plural(len(r.Scenarios), "scenario"), err)
}

// readScenarios keeps each scenario that makes sense. The error is the decoder's.
func (r *Record) readScenarios(decoder *json.Decoder) error {
	if open, err := decoder.Token(); err != nil {
		return err
	} else if open != json.Delim('[') {
		return errors.New("its scenarios are no list")
	}
	for n := 1; decoder.More(); n++ {
		var part json.RawMessage
		if err := decoder.Decode(&part); err != nil {
			return err
		}
		var s Scenario
		err := json.Unmarshal(part, &s)
		if err == nil {
			err = s.check()
		}
		if err == nil && slices.ContainsFunc(r.Scenarios, func(other Scenario) bool { return other.Name == s.Name }) {
			err = fmt.Errorf("%s is in it twice", s.Name)
		}
		if err != nil {
			r.damaged("scenario %d of it: %v", n, err)
			continue
		}
		r.Scenarios = append(r.Scenarios, s)
	}
	_, err := decoder.Token()
	return err
}
