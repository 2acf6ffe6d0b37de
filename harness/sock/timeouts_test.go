package sock_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/finwait/finwait/harness/sock"
)

// That they are of effect, the tests of package scenario show.
func TestTimeoutsThatCannotBeSet(t *testing.T) {
	client, _ := connected(t, t.Context())
	if err := client.SetUserTimeout(time.Second); err != nil {
		t.Error(err)
	}
	if err := client.SetKeepalive(sock.Keepalive{Idle: time.Second, Interval: time.Second, Probes: 200}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("200 probes are more than TCP_KEEPCNT takes, but: %v", err)
	}
	if _, err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.SetUserTimeout(time.Second); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after close(): %v", err)
	}
}
