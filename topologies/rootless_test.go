package topologies_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/finwait/finwait/harness/lab"
	"github.com/finwait/finwait/harness/rootless"
	"github.com/finwait/finwait/harness/rootless/rootlesstest"
	"github.com/finwait/finwait/harness/segment"
	"github.com/finwait/finwait/harness/sock"
	"github.com/finwait/finwait/topologies"
)

// user makes the test binary a program that an ordinary user runs.
const user = "FINWAIT_TOPOLOGIES_USER"

func TestMain(m *testing.M) {
	if os.Getenv(user) == "" {
		os.Exit(m.Run())
	}
	err := rootless.Enter()
	if err == nil {
		err = talkOverAWire()
	}
	var forbidden *rootless.Forbidden
	switch {
	case errors.As(err, &forbidden) && len(forbidden.Reasons) > 0:
		fmt.Println(err)
		os.Exit(rootlesstest.Unable)
	case err != nil:
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestAnOrdinaryUserTalksOverAWire(t *testing.T) {
	cmd := rootlesstest.Command(t, user+"=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == rootlesstest.Unable {
		t.Skipf("%s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// talkOverAWire sends a request over a wire, and a response back.
func talkOverAWire() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l := lab.New()
	defer l.Close()
	w, err := topologies.NewWired(l, topologies.IPv4)
	if err != nil {
		return err
	}
	if err := w.Client.Host.SetSysctl("net.ipv4.tcp_early_retrans", "0"); err != nil {
		return err
	}
	listener, err := sock.Listen(ctx, w.Server.Host, netip.AddrPortFrom(w.Server.Addresses[0].Addr(), 0))
	if err != nil {
		return err
	}
	defer listener.Close()
	client, err := sock.Dial(ctx, w.Client.Host, listener.Addr)
	if err != nil {
		return err
	}
	server, err := listener.Accept()
	if err != nil {
		return err
	}
	for _, way := range [][2]*sock.Conn{{client, server}, {server, client}} {
		if err := way[0].Write(make([]byte, 1000)); err != nil {
			return err
		}
		if err := way[1].Read(1000); err != nil {
			return err
		}
	}
	for _, conn := range []*sock.Conn{client, server} {
		if _, err := conn.Close(); err != nil {
			return err
		}
	}
	if passed := w.Wire.Counts().Passed; passed[segment.Client] < 3 || passed[segment.Server] < 2 {
		return fmt.Errorf("the wire passed on %v frames: not what was sent", passed)
	}
	return w.Wire.Finished()
}
