package servers

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"

	. "github.com/onsi/ginkgo/v2"

	"github.com/finwait/finwait/harness/catalogue"
	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/topologies"
)

// Clients that people use end a connection by close(), as soon as they have read what the
// answer's header has promised. Where the server ends it as well, that is at the same time,
// and so their FIN can be overtaken. One that reads on until the server's FIN comes is safe.
var _ = Describe("A client that people use", func() {
	servers := []catalogue.Server{named("nginx/lingering-close-always"), named("nginx/lingering-close-off"), named("go/close-write")}
	for _, server := range servers {
		for _, come := range []func(catalogue.Server) visitor{curl, goClient} {
			Received(server, come(server))
		}
	}
	Received(servers[0], curlUntilEOF(servers[0]))
})

// Received declares the specs of a client at a server.
func Received(server catalogue.Server, v visitor) {
	Served(theirs, place{Server: server, variant: "client-" + v.name, visitor: v})
}

// theirs are the manners that come about with whatever client.
var theirs = []scenario.Manner{scenario.Undisturbed, scenario.FINOvertaken, scenario.FINsCross}

// A visitor is a client of somebody else's.
type visitor struct {
	name    string
	command program.Command
	// waits says that it closes only once it has been told that the server has.
	waits bool
}

// comes reports whether there is one.
func (v visitor) comes() bool { return len(v.command.Args) > 0 }

// curl makes one request, and says so, whatever the machine's own settings are.
func curl(server catalogue.Server) visitor {
	return visitor{name: "curl", command: command([]string{
		"/usr/bin/curl", "--disable", "--noproxy", "*", "--silent", "--show-error", "--header", "Connection: close", url(server),
	})}
}

// curlUntilEOF takes the connection's end for the answer's, as a client of HTTP/1.0 does
// where no header tells how long that is.
func curlUntilEOF(server catalogue.Server) visitor {
	v := curl(server)
	v.command.Args = append(v.command.Args, "--ignore-content-length")
	v.name, v.waits = "curl-until-eof", true
	return v
}

// goURL has this binary, in the environment, be a client of Go's that fetches what is there.
const goURL = "FINWAIT_GO_CLIENT"

func goClient(server catalogue.Server) visitor {
	return visitor{name: "go", command: command([]string{self()}, goURL+"="+url(server))}
}

// fetch is the program of Go's client.
func fetch(url string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	os.Exit(0)
}

// url is what a client finds at a server.
func url(server catalogue.Server) string {
	address, err := topologies.ServerAddress(topologies.IPv4)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("http://%v/", netip.AddrPortFrom(address, server.Listen.Port()))
}

// named is a server of the catalogues.
func named(name string) catalogue.Server {
	all := slices.Concat(catalogue.All(), goCatalogue)
	i := slices.IndexFunc(all, func(s catalogue.Server) bool { return s.Name == name })
	if i < 0 {
		panic(fmt.Sprintf("no catalogue has %s", name))
	}
	return all[i]
}
