package guest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/vm/internal/guest"
)

func TestPlan(t *testing.T) {
	g := NewWithT(t)
	plan := guest.Plan{
		Port:    "/dev/ttyS1",
		Modules: []guest.Module{{Name: "veth", Path: "/finwait/modules/veth.ko"}, {Name: "sch_netem", Path: "/finwait/modules/sch_netem.ko"}},
		Program: guest.Program{Path: "/finwait/bin/suite", Env: []string{"A=\"\x01"}, Held: true},
	}
	text, err := plan.Encode()
	g.Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(t.TempDir(), "plan.json")
	g.Expect(os.WriteFile(path, text, 0o644)).To(Succeed())
	g.Expect(guest.ReadPlan(path)).To(Equal(plan))
}

func TestBadPlan(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "plan.json")
	_, err := guest.ReadPlan(path)
	g.Expect(err).To(MatchError(fs.ErrNotExist))
	g.Expect(os.WriteFile(path, []byte(`{"modules":[`), 0o644)).To(Succeed())
	_, err = guest.ReadPlan(path)
	g.Expect(err).To(MatchError(And(ContainSubstring(path), ContainSubstring("unexpected end"))))
}
