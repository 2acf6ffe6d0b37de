// Package kernel names Linux kernels, finds out where they come from and what
// they can do.
package kernel

// An Image is a kernel on this machine's disk that can be booted.
type Image struct {
	// Source is the KERNEL argument that led here, such as "debian/bullseye".
	Source string
	// Release is what uname -r prints in it, such as "5.10.0-46-cloud-amd64".
	Release string
	// Version is the distribution's own version of the package, such as
	// "5.10.262-1"; empty where there is no package.
	Version string
	// Arch is the architecture that it is for, as Identify tells it.
	Arch Arch
	// Vmlinuz is the path of the file that boots.
	Vmlinuz string
	// Modules is the path of the kernel's lib/modules/RELEASE folder; empty where
	// all that it has is built in.
	Modules string
	// Options are those of its configuration, as ReadConfig gives them; nil where that
	// is not at hand.
	Options map[string]byte
	// Notes are what the reader of a verdict should know of where the kernel
	// came from, a line each: that the archive's index had expired, or was taken
	// from the cache because no mirror could be reached.
	Notes []string
}

// A Module is one kernel module, ready to be handed to finit_module(2).
type Module struct {
	// Name is the module's name with underscores, such as "sch_netem".
	Name string
	// Path is the module's file, somewhere below Image.Modules, compressed or
	// not; Read gives its decompressed content.
	Path string
}
