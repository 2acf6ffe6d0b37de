package specs

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness/explore"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/suite"
	"github.com/finwait/finwait/topologies"
)

var (
	exploring  = flag.Bool("explore", false, "instead of playing the specs, play every order of the calls; the entries go to the file that --record names")
	drops      = flag.Int("drops", 0, "with --explore: up to `K` segments of an order are lost")
	duplicates = flag.Int("duplicates", 0, "with --explore: up to `K` segments of an order arrive again")
	data       = flag.Int("data", 0, "with --explore: the client sends `N` octets, which are on their way when both close")
	allOrders  = flag.Bool("all", false, "with --explore: play equivalent orders too")
)

// explored are the calls of which every pair is explored.
var explored = []closingPath{shutdown, shutdownRDWR, closed, finTimeout(120)}

// pairs are what both ends may call.
func pairs() (names []explore.Pair) {
	for _, client := range explored {
		for _, server := range explored {
			names = append(names, explore.Pair{Client: saying() + client.name, Server: server.name})
		}
	}
	return names
}

// saying is what the client does before it closes.
func saying() string {
	if *data == 0 {
		return ""
	}
	return fmt.Sprintf("write %d octets, ", *data)
}

// behaviours are how the ends of a pair behave.
func behaviours(p explore.Pair) (client, server scenario.Behaviour) {
	of := func(name string) scenario.Behaviour {
		i := slices.IndexFunc(explored, func(p closingPath) bool { return p.name == name })
		return explored[i].Behaviour
	}
	client, server = of(strings.TrimPrefix(p.Client, saying())), of(p.Server)
	client.LastWords = *data
	return client, server
}

// exploreAll explores every pair of calls, and judges nothing.
func exploreAll(t *testing.T) {
	if err := suite.Forbidden(); err != nil {
		t.Fatalf("exploring makes network namespaces, which this process may not: %v", err)
	}
	out, err := suite.OpenRecord()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	live := &explore.Live{}
	survey := explore.Survey{
		Pairs: pairs(),
		Stage: func(_ context.Context, p explore.Pair) (explore.Stage, error) {
			live.Close() // the pair before
			client, server := behaviours(p)
			live = &explore.Live{Family: topologies.IPv4, Client: client, Server: server}
			return live, nil
		},
		Bounds:  explore.Bounds{Drops: *drops, Duplicates: *duplicates, All: *allOrders},
		Workers: runtime.GOMAXPROCS(0),
	}
	defer func() { live.Close() }()
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
