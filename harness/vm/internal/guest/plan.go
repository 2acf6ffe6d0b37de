// Package guest is what the host and a guest's init tell one another: the plan
// that init finds in the initramfs, the errand that it finds on its disk, the
// messages that it sends, and the lines that its payload does.
package guest

import (
	"encoding/json"
	"fmt"
	"os"
)

// Paths in the guest that both sides know. What is in the initramfs is in a folder of
// its own, but for init: all other paths are the luggage's.
const (
	Folder      = "/finwait"
	PlanPath    = Folder + "/plan.json"
	ModulesPath = Folder + "/modules"
	ProgramPath = Folder + "/bin"
	// StreamPath is the port of the only virtio-serial device, which is the
	// payload's. One program at a time can have it open.
	StreamPath = "/dev/stream"
	// DiskPath is the first virtio-blk device, and LuggagePath the second.
	DiskPath    = "/dev/vda"
	LuggagePath = "/dev/vdb"
)

// A Plan is what init has to do before anything is known of what the guest is for:
// load the modules in their order, and start the program if it is to be held.
type Plan struct {
	// Port is the device that init's messages go to.
	Port    string   `json:"port"`
	Modules []Module `json:"modules,omitempty"`
	Program Program  `json:"program"`
}

// A Program is what the guest is for, in the initramfs.
type Program struct {
	Path string   `json:"path,omitempty"` // empty where there is none
	Env  []string `json:"env,omitempty"`  // KEY=VALUE, added to what init sets
	// Held is true of a program that calls held.Await.
	Held bool `json:"held,omitempty"`
}

// A Module is a decompressed kernel module in the initramfs.
type Module struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Encode gives the plan as ReadPlan wants it.
func (p Plan) Encode() ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the guest's plan: %w", err)
	}
	return text, nil
}

// ReadPlan reads the plan that is in the file at path.
func ReadPlan(path string) (Plan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Plan{}, fmt.Errorf("read the guest's plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return Plan{}, fmt.Errorf("decode the guest's plan %s: %w", path, err)
	}
	return p, nil
}
