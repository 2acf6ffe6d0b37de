package vm

import (
	"slices"

	"github.com/finwait/finwait/harness/kernel"
)

// Needs is what every guest of an architecture needs of its kernel: what a Go program
// and the machine's own init and devices do.
func Needs(arch kernel.Arch) []kernel.Need {
	return slices.Concat(architectures[arch].needs, ownNeeds)
}

var ownNeeds = []kernel.Need{
	{Option: "CONFIG_BLK_DEV_INITRD"},
	{Option: "CONFIG_BINFMT_ELF"},
	{Option: "CONFIG_FUTEX"},
	{Option: "CONFIG_EPOLL"},
	{Option: "CONFIG_INOTIFY_USER"},
	{Option: "CONFIG_DEVTMPFS"},
	{Option: "CONFIG_PROC_FS"},
	{Option: "CONFIG_SYSFS"},
	{Option: "CONFIG_TMPFS"},
	{Option: "CONFIG_CGROUPS"},
	{Option: "CONFIG_TTY"},
	{Option: "CONFIG_PRINTK"},
	{Option: "CONFIG_PCI"},
	{Option: "CONFIG_VIRTIO_PCI", Module: "virtio_pci"},
	{Option: "CONFIG_VIRTIO_BLK", Module: "virtio_blk"},
	{Option: "CONFIG_VIRTIO_CONSOLE", Module: "virtio_console"},
}
