package teardown

import (
	"time"

	"github.com/finwait/finwait/harness/segment"
)

// A Reopening is what came of it that the client opened a connection anew from the
// port that it had, after the teardown.
type Reopening struct {
	// Refused is how often its kernel had no port to give (EADDRNOTAVAIL), and
	// LastRefused when it was asked for the last time that it had not.
	Refused     int           `json:"refused"`
	LastRefused time.Duration `json:"last_refused_ns,omitempty"`
	// Opened is when it was asked and the connection opened.
	Opened time.Duration `json:"opened_ns"`
}

// readReopening counts from when the client came to TIME_WAIT.
func (t *Trial) readReopening(x *Exchange) {
	if x.Reopening == nil {
		return
	}
	for _, step := range t.Paths[segment.Client] {
		if step.State != "TIME_WAIT" {
			continue
		}
		r := *x.Reopening
		r.Opened -= step.At
		if r.Refused > 0 {
			r.LastRefused -= step.At
		}
		t.Reopened = &r
		return
	}
	t.doubt("the client opened a connection anew, but was not seen in TIME_WAIT before")
}
