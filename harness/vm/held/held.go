// Package held is for a program that a guest is kept with. The program is started
// while the guest boots, does what takes long, and waits; what it is to do it is told
// in each guest that goes on from there.
//
// What such a program has drawn at random before is the same in all of them, as is
// what it has read.
package held

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// The descriptors that the program is started with, and the variable of its
// environment that says so.
const (
	ArgumentsFD = 3 // where its arguments come from, as a JSON array
	ReadyFD     = 4 // which it writes an octet to when it is ready to wait
	Variable    = "FINWAIT_HELD"
)

// Held reports whether this process is held, and has to call Await.
func Held() bool { return os.Getenv(Variable) != "" }

// Await says that the program is ready, waits until there is something to do, and
// returns its arguments, without the program's name. It is called once.
func Await() (args []string, err error) {
	ready, arguments := os.NewFile(ReadyFD, "ready"), os.NewFile(ArgumentsFD, "arguments")
	defer arguments.Close()
	defer ready.Close()
	if err := os.Unsetenv(Variable); err != nil {
		return nil, err
	}
	if _, err := ready.Write([]byte{0}); err != nil {
		return nil, fmt.Errorf("say that the program is ready: %w", err)
	}
	text, err := io.ReadAll(arguments)
	if err != nil {
		return nil, fmt.Errorf("wait for the program's arguments: %w", err)
	}
	if err := json.Unmarshal(text, &args); err != nil {
		return nil, fmt.Errorf("the program's arguments, %.80q: %w", text, err)
	}
	return args, nil
}
