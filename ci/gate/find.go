package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/finwait/finwait/harness/kernel"
	"github.com/finwait/finwait/harness/kernel/debian"
	"github.com/finwait/finwait/harness/kernel/local"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// suiteNeeds is without what no teardown can be played and observed.
var suiteNeeds = []kernel.Need{
	{Option: "CONFIG_NET_NS"},
	{Option: "CONFIG_PACKET", Module: "af_packet"},
	{Option: "CONFIG_VETH", Module: "veth"},
	{Option: "CONFIG_INET_DIAG", Module: "inet_diag"},
	{Option: "CONFIG_INET_TCP_DIAG", Module: "tcp_diag"},
}

// suiteWants is what specs are skipped without, each of which asks the kernel for it
// and names it. Options that make no module are not listed: BPF, tracepoints, IPv6.
var suiteWants = []kernel.Need{
	{Option: "CONFIG_NET_SCH_PRIO", Module: "sch_prio"},
	{Option: "CONFIG_NET_SCH_NETEM", Module: "sch_netem"},
	{Option: "CONFIG_NET_CLS_U32", Module: "cls_u32"},
	{Option: "CONFIG_BRIDGE", Module: "bridge"},
}

// find finds one kernel, and checks that it can run the suite as far as that shows
// before it boots.
func find(ctx context.Context, archive *debian.Archive, ref kernel.Reference) (kernel.Image, error) {
	var image kernel.Image
	var err error
	switch ref.Origin {
	case kernel.Host:
		return hostKernel()
	case kernel.Tree, kernel.File, kernel.Build:
		image, err = local.Resolve(ref)
	default:
		image, err = archive.Resolve(ctx, ref)
	}
	if err == nil {
		err = check(&image)
	}
	if err != nil {
		return kernel.Image{}, err
	}
	if err := vm.Available(image.Arch); err != nil {
		return kernel.Image{}, fmt.Errorf("%v: %w", ref, err)
	}
	return image, nil
}

// check checks that a kernel has what the suite needs, and adds the configuration that
// the kernel carries where no other is at hand.
func check(image *kernel.Image) error {
	if image.Options == nil {
		config, err := vm.Configuration(*image)
		if err != nil {
			return fmt.Errorf("%s: read its configuration: %w", image.Source, err)
		}
		if config != "" {
			image.Options = kernel.ParseConfig(config)
		}
	}
	return image.Check(slices.Concat(vm.Needs(image.Arch), suiteNeeds)...)
}

// atHand says whether nothing has to be downloaded for a kernel.
func atHand(ref kernel.Reference) bool {
	return ref.Origin != kernel.DebianSuite && ref.Origin != kernel.DebianVersion
}

// parseKernels reads KERNEL arguments.
func parseKernels(args []string) (references []kernel.Reference, err error) {
	for _, arg := range args {
		ref, err := kernel.Parse(arg)
		if err != nil {
			return nil, err
		}
		references = append(references, ref)
	}
	return references, nil
}

// checkFolders refuses kernels whose records would be in one folder: what a name has that
// a folder's cannot have is replaced there.
func checkFolders(references []kernel.Reference) error {
	var images []kernel.Image
	for _, ref := range references {
		images = append(images, kernel.Image{Source: ref.String()})
	}
	owners := map[string]kernel.Reference{}
	for i, ref := range references {
		folder := folderOf(&report.Record{Kernel: report.Kernel{Source: images[i].Source, Role: roleOf(images, i)}})
		if owner, taken := owners[folder]; taken {
			return fmt.Errorf("the records of %v and of %v would both be in a folder %s: run them apart, with an --out each", owner, ref, folder)
		}
		owners[folder] = ref
	}
	return nil
}

// checkArchitectures refuses, where kernels are compared, those for different
// architectures: what differs between them would be the processors' doing as well as the
// kernels'. One that has not been found yet is for what its reference says.
func checkArchitectures(references []kernel.Reference, images []kernel.Image) error {
	arch := func(i int) kernel.Arch { return cmp.Or(images[i].Arch, references[i].Arch, kernel.Native()) }
	for i := range references {
		if arch(i) != arch(0) {
			return fmt.Errorf("%v is a kernel for %s, and %v for %s: only kernels for one architecture can be compared",
				references[0], arch(0), references[i], arch(i))
		}
	}
	return nil
}
