package specs

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"testing"

	"github.com/finwait/finwait/harness/explore"
)

var (
	exploring  = flag.Bool("explore", false, "instead of playing the specs, play every order of the calls; the entries go to the file that --record names")
	drops      = flag.Int("drops", 0, "with --explore: up to `K` segments of an order are lost")
	duplicates = flag.Int("duplicates", 0, "with --explore: up to `K` segments of an order arrive again")
	allOrders  = flag.Bool("all", false, "with --explore: play equivalent orders too")
)

// survey is what --explore explores, and where.
var survey explore.Survey

// exploreAll explores every pair of calls, and judges nothing.
func exploreAll(t *testing.T) {
	if forbidden != nil {
		t.Fatalf("exploring makes network namespaces, which this process may not: %v", forbidden)
	}
	if survey.Stage == nil {
		t.Fatal("this build cannot explore: it has no stage")
	}
	out, err := os.OpenFile(*recordPath, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatalf("open the file that --record names: %v", err)
	}
	defer out.Close()
	survey.Bounds = explore.Bounds{Drops: *drops, Duplicates: *duplicates, All: *allOrders}
	survey.Workers = runtime.GOMAXPROCS(0)
	if err := survey.Run(t.Context(), func(e explore.Entry) error {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = out.Write(append(line, '\n'))
		return err
	}); err != nil {
		t.Error(err)
	}
}
