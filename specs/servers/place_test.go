package servers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	gomega "github.com/onsi/gomega/types"

	"github.com/finwait/finwait/harness/catalogue"
	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/program"
	"github.com/finwait/finwait/harness/scenario"
	"github.com/finwait/finwait/harness/suite"
	"github.com/finwait/finwait/topologies"
)

// A stand is a server that runs, for one spec after another, until one fails.
type stand struct {
	site   *scenario.Site // nil where the server does not run
	broken error          // why it cannot be had to run
}

// A place is where a server of the catalogue is tried.
type place struct {
	catalogue.Server
	*stand
	// variant is what its name has behind the server's; none where nothing but the server
	// makes the place.
	variant string
	// visitor is the client that comes; the zero value is ours.
	visitor visitor
	// client and server are what the kernels of the two ends are set to.
	client, server scenario.Behaviour
	// shows is what each trial has to show of that.
	shows []gomega.GomegaMatcher
	// hurried says that it is for a virtual clock, which stands still while the machine is late.
	hurried bool
	// unfit is why its two programs were seen not to close at once; nil where they were not.
	unfit error
}

// name is what the names of the place's specs begin with.
func (p *place) name() string { return path.Join(p.Name, p.variant) }

// visitIn is what the place's client does.
func (p *place) visitIn(m scenario.Manner) scenario.Visit {
	if !p.visitor.comes() {
		v := scenario.Visit{Manner: m, Request: []byte(p.Request)}
		if p.Ends != catalogue.Second {
			v.Patience = time.Minute // by then it has
		}
		return v
	}
	patience := time.Minute // by then it has closed
	if p.visitor.waits {
		patience = time.Second
	}
	return scenario.Visit{Manner: m, Client: p.visitor.command, Patience: patience}
}

// open has the server run, unless it does.
func (p *place) open(ctx context.Context) (*scenario.Site, error) {
	if p.site == nil && p.broken == nil {
		p.site, p.broken = p.start(ctx)
	}
	return p.site, p.broken
}

func (p *place) start(ctx context.Context) (*scenario.Site, error) {
	if err := present(p.Args[0]); err != nil {
		return nil, err
	}
	if p.visitor.comes() {
		if err := present(p.visitor.command.Args[0]); err != nil {
			return nil, err
		}
	}
	server, err := p.In(os.DirFS(cmp.Or(*tree, "/")), folder)
	if err != nil {
		return nil, err
	}
	if p.visitor.comes() && suite.Noise() != nil {
		p.client.RTOMin = onRealClock
	}
	service := scenario.Service{
		Family: topologies.IPv4, Listen: p.Listen, Client: p.client, Server: p.server, Noise: suite.Noise(),
		Command: command(server.Args, server.Env...),
	}
	service.Command.Folder, service.Command.Files, service.Command.Nobody = folder, server.Files, p.Nobody
	site, err := service.Open(ctx)
	if err != nil {
		return nil, err
	}
	if err := site.AwaitAnswer(ctx, []byte(p.Request), []byte(p.Answer)); err != nil {
		site.Close()
		return nil, err
	}
	return site, nil
}

// onRealClock is the client's least RTO where the clock goes on while the machine is late,
// and the client is somebody else's, whose FIN is held: it is not to be sent again
// meanwhile.
const onRealClock = 10 * time.Second

// folder is where a server has its files: each in a folder of its own.
const folder = "/tmp/finwait-server"

// close stops the server.
func (s *stand) close() {
	if s.site != nil {
		s.site.Close()
		s.site = nil
	}
}

// command is a program as it is started here.
func command(args []string, env ...string) program.Command {
	c := program.Command{Args: args, Env: env, Dir: "/", Disposable: *guest}
	if *tree != "" {
		c.Trees = []string{*tree}
	}
	return c
}

// present returns a *kernel.MissingCapability where a program is not there.
func present(path string) error {
	_, err := os.Stat(filepath.Join(*tree, path))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &kernel.MissingCapability{Name: path, Err: fmt.Errorf("%w: `make servers` unpacks it into a folder for --tree", err)}
	}
	return err
}
