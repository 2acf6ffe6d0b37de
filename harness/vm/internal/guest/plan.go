// Package guest is what the host and a guest's init tell one another: the plan
// that init finds in the initramfs, and the stream that comes back.
package guest

import (
	"encoding/json"
	"fmt"
	"os"
)

// Paths in the guest that both sides know.
const (
	PlanPath    = "/plan.json"
	ModulesPath = "/modules"
	StreamPath  = "/dev/ttyS1"
)

// A Plan is what init has to do: load the modules in their order, then run the
// payload.
type Plan struct {
	Modules []Module `json:"modules,omitempty"`
	Payload Payload  `json:"payload"`
}

// A Module is a decompressed kernel module in the initramfs.
type Module struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// A Payload is the program that the guest was booted for.
type Payload struct {
	Path string   `json:"path"`
	Args []string `json:"args,omitempty"` // without the program's own name
	Env  []string `json:"env,omitempty"`  // KEY=VALUE, added to what init sets
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
