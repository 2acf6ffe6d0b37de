// Package servers says how servers that people run end their connections, and that a
// Linux kernel must not lose a FIN for it. The servers are Debian's, as `make servers`
// has unpacked them, and Go's; the whole suite is one static test binary:
//
//	CGO_ENABLED=0 go test -c ./specs/servers
//
// It runs on any Linux kernel, as root, or as an ordinary user who may make user
// namespaces; a spec whose server is not there is skipped and names it.
package servers

import (
	"flag"
	"os"
	"testing"

	"github.com/finwait/finwait/harness/suite"
)

var (
	tree  = flag.String("tree", "", "the `DIR` into which the servers' packages were unpacked; without one, the machine's own programs are tried")
	guest = flag.Bool("guest", false, "the machine is a guest that goes with what is written to it")
	try   = flag.String("try", "", "instead of playing the specs, try the server of a `TASK` in JSON; the entries go to the file that --record names")
)

func TestMain(m *testing.M) {
	if serve, called := goServers[os.Getenv(goServer)]; called {
		serve()
	}
	if url, called := os.LookupEnv(goURL); called {
		fetch(url)
	}
	suite.Main(m)
}

func TestServers(t *testing.T) {
	if *try != "" {
		tryServer(t)
		return
	}
	suite.Run(t, "finwait's servers")
}
