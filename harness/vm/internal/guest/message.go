package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Message is one thing that init says. Exactly one of its fields is set.
type Message struct {
	Booted *Booted `json:"booted,omitempty"`
	Ready  *Ready  `json:"ready,omitempty"`
	Exit   *Exit   `json:"exit,omitempty"`
	Fail   *Fail   `json:"fail,omitempty"`
}

// Booted says that the modules are loaded, and that init stops the machine next:
// the host may keep it, and has it go on when there is an errand to be done.
type Booted struct{}

// Ready says that the errand is known and that the payload comes next.
type Ready struct {
	Release string        `json:"release"`   // as uname -r prints it
	Uptime  time.Duration `json:"uptime_ns"` // guest time since its boot
}

// Exit says that the payload has ended. It is the last message.
type Exit struct {
	// Status is the payload's exit status, or 128 plus the number of the
	// signal that killed it, as a shell has it.
	Status int           `json:"status"`
	Uptime time.Duration `json:"uptime_ns"` // guest time since its boot
}

// Fail says that init could not do its work. It is the last message.
type Fail struct {
	Step  Step   `json:"step"`
	Cause string `json:"cause"`
}

// A Step is a part of init's work.
type Step string

// The steps of init's work that can fail.
const (
	Setup   Step = "setup"   // file systems, devices, the plan
	Load    Step = "load"    // loading a module
	Stop    Step = "stop"    // stopping the machine, to be kept
	Fetch   Step = "fetch"   // reading the errand
	Unpack  Step = "unpack"  // unpacking the luggage
	Execute Step = "execute" // starting the payload
)

// Encode gives the message as it goes to the host: a JSON text and a line feed.
func (m Message) Encode() ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode a message of the guest's init: %w", err)
	}
	return append(text, '\n'), nil
}

func decode(text []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(text, &m); err != nil {
		return Message{}, fmt.Errorf("decode a message of the guest's init, %.80q: %w", text, err)
	}
	said := 0
	for _, set := range []bool{m.Booted != nil, m.Ready != nil, m.Exit != nil, m.Fail != nil} {
		if set {
			said++
		}
	}
	if said != 1 {
		return Message{}, fmt.Errorf("decode a message of the guest's init, %.80q: %w", text, errNotOne)
	}
	return m, nil
}

var errNotOne = errors.New("it must be one of booted, ready, exit and fail")
