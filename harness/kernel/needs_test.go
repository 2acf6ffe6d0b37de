package kernel

import (
	"errors"
	"os"
	"testing"

	. "github.com/onsi/gomega"
)

var someNeeds = []Need{
	{Option: "CONFIG_NET_NS"},
	{Option: "CONFIG_VETH", Module: "veth"},
	{Option: "CONFIG_PACKET", Module: "af_packet"},
	{Option: "CONFIG_VIRTIO_CONSOLE", Module: "virtio_console"},
}

func TestCheck(t *testing.T) {
	t.Parallel()
	// What makeImage has built in is af_packet.
	withVeth := func(t *testing.T) Image {
		return makeImage(t, map[string][]byte{"kernel/drivers/net/veth.ko": needing("")})
	}
	withAll := func(t *testing.T) Image {
		return makeImage(t, map[string][]byte{"kernel/drivers/net/veth.ko": needing(""), "virtio-console.ko.xz": needing("")})
	}
	none := func(*testing.T) Image { return Image{Source: "image:x"} }
	const all = "CONFIG_NET_NS=y\nCONFIG_VETH=m\nCONFIG_PACKET=y\nCONFIG_VIRTIO_CONSOLE=m\n"
	for name, c := range map[string]struct {
		image         func(*testing.T) Image
		config        string
		lacks, absent []string
	}{
		"all of it":                    {withAll, all, nil, nil},
		"all by its modules":           {withAll, "", nil, nil},
		"a module without a file":      {withVeth, all, nil, []string{"CONFIG_VIRTIO_CONSOLE"}},
		"a module by no configuration": {withVeth, "", []string{"CONFIG_VIRTIO_CONSOLE"}, nil},
		"an option":                    {withAll, "CONFIG_NET_NS is not set\n", []string{"CONFIG_NET_NS"}, nil},
		"an option in a comment":       {withAll, "# CONFIG_NET_NS=y\n", []string{"CONFIG_NET_NS"}, nil},
		"options and a module": {
			none, "CONFIG_VETH=m\nCONFIG_VIRTIO_CONSOLE=y\n",
			[]string{"CONFIG_NET_NS", "CONFIG_PACKET"},
			[]string{"CONFIG_VETH"},
		},
		"all of it as modules": {none, all, nil, []string{"CONFIG_VETH", "CONFIG_VIRTIO_CONSOLE"}},
		"what nobody knows":    {none, "", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			image := c.image(t)
			if c.config != "" {
				image.Options = ParseConfig(c.config)
			}
			err := image.Check(someNeeds...)
			if c.lacks == nil && c.absent == nil {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			var lack *LackError
			g.Expect(errors.As(err, &lack)).To(BeTrue(), "%v", err)
			g.Expect(lack.Lacks).To(Equal(c.lacks))
			g.Expect(lack.Absent).To(Equal(c.absent))
		})
	}
}

func TestLackErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  LackError
		want string
	}{
		{
			LackError{Kernel: "build:linux (6.12.1)", Lacks: []string{"CONFIG_VETH", "CONFIG_VIRTIO_CONSOLE"}},
			"kernel build:linux (6.12.1) lacks CONFIG_VETH, CONFIG_VIRTIO_CONSOLE, which the suite needs: set them to y or m, or take another kernel",
		},
		{
			LackError{Kernel: "image:x", Absent: []string{"CONFIG_VETH"}},
			"kernel image:x has CONFIG_VETH as modules, which the suite needs, and no modules are named: name their folder, image:VMLINUZ,modules=DIR, or set them to y",
		},
		{
			LackError{Kernel: "build:x", Lacks: []string{"CONFIG_NET_NS"}, Absent: []string{"CONFIG_VETH"}, Modules: "x"},
			"kernel build:x lacks CONFIG_NET_NS, which the suite needs: set them to y or m, or take another kernel; it has CONFIG_VETH as modules, " +
				"which the suite needs, and they are not in x: have that folder hold all modules of the kernel (make modules where it is being built)",
		},
	} {
		NewWithT(t).Expect(c.err.Error()).To(Equal(c.want))
	}
}

func TestModulesOf(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	image := makeImage(t, map[string][]byte{"kernel/drivers/net/veth.ko": needing("")})
	g.Expect(image.ModulesOf(someNeeds...)).To(Equal([]string{"veth"}))
	g.Expect(Image{}.ModulesOf(someNeeds...)).To(BeEmpty())
	_, err := Image{Source: "dir:x", Modules: "/nowhere"}.ModulesOf(someNeeds...)
	g.Expect(err).To(And(MatchError(ContainSubstring("kernel dir:x")), MatchError(os.ErrNotExist)))
}

// The modules of a build are where they were built, by the list at its top.
func TestModulesOfABuild(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]string{
		"the list of today":  "drivers/net/veth.o\nnet/sched/sch_prio.o\nnet/never/built.o\n",
		"the list of before": "kernel/drivers/net/veth.ko\nkernel/net/sched/sch_prio.ko\nkernel/net/never/built.ko\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			image := makeImage(t, map[string][]byte{
				"drivers/net/veth.ko": needing("sch-prio"), "net/sched/sch_prio.ko": needing(""),
				"tools/testing/stray.ko": needing(""), BuiltRelease: []byte("6.12.1\n"), "modules.order": []byte(order),
			})
			order, err := image.LoadOrder("veth")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(names(order)).To(Equal([]string{"sch_prio", "veth"}))
			for _, absent := range []string{"stray", "built"} {
				_, err = image.LoadOrder(absent)
				g.Expect(err).To(BeAssignableToTypeOf(&MissingModuleError{}))
			}
		})
	}
	g := NewWithT(t)
	image := makeImage(t, map[string][]byte{BuiltRelease: []byte("6.12.1\n"), "modules.order": []byte("../../etc/passwd\n")})
	_, err := image.LoadOrder("passwd")
	g.Expect(err).To(MatchError(ContainSubstring(`"../../etc/passwd\n" leads out of the tree`)))
}

// FuzzParseConfig checks that an option is one that a line sets.
func FuzzParseConfig(f *testing.F) {
	f.Add("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\nCONFIG_D=\"y\"\nCONFIG_E=12\n")
	f.Fuzz(func(t *testing.T, text string) {
		for option, value := range ParseConfig(text) {
			if value != 'y' && value != 'm' || len(option) < len("CONFIG_") {
				t.Errorf("%q gives %q = %q", text, option, value)
			}
		}
	})
}
