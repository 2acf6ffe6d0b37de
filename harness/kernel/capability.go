package kernel

import "fmt"

// A MissingCapability is the reason why something cannot be tried on the
// running kernel. It is never a guess from a version number: whatever returns
// it has asked the kernel for the capability and was refused.
type MissingCapability struct {
	// Name is what lacks, as kernel configuration and modules name it, such as
	// "sch_netem" or "IPv6".
	Name string
	// Err is the kernel's answer.
	Err error
}

// Error names the capability and the answer.
func (m *MissingCapability) Error() string {
	return fmt.Sprintf("the running kernel lacks %s: %v", m.Name, m.Err)
}

// Unwrap returns the kernel's answer.
func (m *MissingCapability) Unwrap() error { return m.Err }
