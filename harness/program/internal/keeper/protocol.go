package keeper

import "syscall"

// Called is the variable whose presence in the environment says that this process
// is to be a keeper.
const Called = "FINWAIT_KEEPS_A_PROGRAM"

// The descriptors that a keeper is started with besides the usual three, which are
// the command's too.
const (
	OrdersFD  = 3 // a Task, and then Orders, as JSON
	ReportsFD = 4 // what became of them: a Report a line, as JSON
)

// A Task is what a keeper is started for. The command's environment is the keeper's
// own.
type Task struct {
	Args       []string
	Dir        string
	Trees      []string          // absolute and without symbolic links
	Folder     string            // of the command's own, an absolute path; empty for none
	Files      map[string]string // in the Folder
	Nobody     bool
	Disposable bool
}

// An Order is what a keeper is told while the command runs. At the end of them it
// exits, which kills all that is left.
type Order string

// The orders.
const (
	Terminate Order = "terminate" // send the command SIGTERM
	Kill      Order = "kill"      // kill all there is, report how many there were, and exit
)

// A Report has one of its fields set.
type Report struct {
	Started bool   `json:",omitempty"`
	Failed  string `json:",omitempty"` // why the command could not be started
	// Missing names what the kernel lacks, where that is why it Failed.
	Missing string `json:",omitempty"`
	Ended   *Ended `json:",omitempty"`
	Left    *int   `json:",omitempty"` // how many processes an order to Kill found besides the command
}

// Ended tells how the command's own process ended.
type Ended struct {
	Status syscall.WaitStatus
	Others bool // other processes that it left live on
}
