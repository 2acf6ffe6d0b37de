package behaviour

import (
	"errors"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/kernel"
)

// Each question gets an answer on the running kernel, the same each time.
func TestEachQuestionIsAnswered(t *testing.T) {
	for _, q := range All() {
		t.Run(q.Name, func(t *testing.T) {
			first, err := q.Ask(t.Context())
			var missing *kernel.MissingCapability
			if errors.As(err, &missing) {
				t.Skip(missing)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s%s\n%s", first.Answer, first.Why, strings.Join(first.Exchange, "\n"))
			if first.Answer == "" {
				t.Fatal("it was not conclusive")
			}
		})
	}
}
