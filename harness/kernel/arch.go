package kernel

import "runtime"

// An Arch is a processor architecture, by the name that Go and Debian have for it.
type Arch string

// The architectures whose kernels can be booted.
const (
	AMD64 Arch = "amd64"
	ARM64 Arch = "arm64"
)

// Native is this machine's architecture, which need not be one of those.
func Native() Arch { return Arch(runtime.GOARCH) }
