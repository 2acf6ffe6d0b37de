package vm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A monitor speaks QEMU's machine protocol (QEMU, docs/interop/qmp-spec): one
// command at a time, from one goroutine. Everything that waits for QEMU ends when
// QEMU does.
type monitor struct {
	conn    *net.UnixConn
	decoder *json.Decoder
	events  []event // that came while something else was waited for
}

// An event is what QEMU says unasked.
type event struct {
	Name string `json:"event"`
	Data struct {
		Status string `json:"status"` // of MIGRATION
	} `json:"data"`
}

// newMonitor makes the connection; QEMU gets the file.
func newMonitor() (m *monitor, theirs *os.File, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair for QEMU's monitor: %w", err)
	}
	own, theirs := os.NewFile(uintptr(ends[0]), "monitor"), os.NewFile(uintptr(ends[1]), "monitor")
	defer own.Close()
	conn, err := net.FileConn(own)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("connect to QEMU's monitor: %w", err)
	}
	return &monitor{conn: conn.(*net.UnixConn), decoder: json.NewDecoder(conn)}, theirs, nil
}

// A message is whatever QEMU says: a greeting, an event, or the answer to a
// command.
type message struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Description string `json:"desc"`
	} `json:"error"`
	event
}

// next reads the next message.
func (m *monitor) next() (message, error) {
	var said message
	if err := m.decoder.Decode(&said); err != nil {
		return message{}, fmt.Errorf("QEMU's monitor: %w", err)
	}
	return said, nil
}

// execute has QEMU carry out a command. QEMU takes the files that come with it.
func (m *monitor) execute(command string, arguments any, files ...*os.File) error {
	_, err := m.ask(command, arguments, files...)
	return err
}

// ask is execute, and returns the answer.
func (m *monitor) ask(command string, arguments any, files ...*os.File) (json.RawMessage, error) {
	text, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{command, arguments})
	if err != nil {
		return nil, fmt.Errorf("QEMU's monitor: %s: %w", command, err)
	}
	var rights []byte
	for _, file := range files {
		rights = append(rights, unix.UnixRights(int(file.Fd()))...)
	}
	if _, _, err := m.conn.WriteMsgUnix(text, rights, nil); err != nil {
		return nil, fmt.Errorf("QEMU's monitor: %s: %w", command, err)
	}
	for {
		switch said, err := m.next(); {
		case err != nil:
			return nil, err
		case said.Name != "":
			m.events = append(m.events, said.event)
		case said.Error != nil:
			return nil, fmt.Errorf("QEMU's monitor: %s: %s", command, said.Error.Description)
		case said.Return != nil:
			return said.Return, nil
		}
	}
}

// await waits for an event of that name, or takes one that has come already. What
// else comes is kept.
func (m *monitor) await(name string) (event, error) {
	for {
		if i := slices.IndexFunc(m.events, func(e event) bool { return e.Name == name }); i >= 0 {
			found := m.events[i]
			m.events = slices.Delete(m.events, i, i+1)
			return found, nil
		}
		said, err := m.next()
		if err != nil {
			return event{}, err
		}
		if said.Name != "" {
			m.events = append(m.events, said.event)
		}
	}
}

// open makes QEMU take commands.
func (m *monitor) open() error { return m.execute("qmp_capabilities", nil) }

// save writes the state of the stopped machine to a file, from where that stands.
func (m *monitor) save(to *os.File) error {
	if err := m.execute("migrate-set-parameters", map[string]int64{"max-bandwidth": 1 << 40}); err != nil {
		return err
	}
	if err := m.migrate("migrate", to); err != nil {
		return err
	}
	return m.awaitFinalized()
}

// awaitFinalized returns when the machine can go on. The event comes a little earlier,
// and nothing else tells.
func (m *monitor) awaitFinalized() error {
	for {
		answer, err := m.ask("query-status", nil)
		if err != nil {
			return err
		}
		var said struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(answer, &said); err != nil {
			return fmt.Errorf("QEMU's monitor: query-status: %w", err)
		}
		if said.Status != "finish-migrate" {
			return nil
		}
	}
}

// load reads the state of the machine from a file. QEMU ends where it makes no
// sense.
func (m *monitor) load(from *os.File) error { return m.migrate("migrate-incoming", from) }

// migrate has QEMU write or read a state, and waits for the end of it.
func (m *monitor) migrate(command string, file *os.File) error {
	type capability struct {
		Name string `json:"capability"`
		On   bool   `json:"state"`
	}
	err := m.execute("migrate-set-capabilities", map[string][]capability{"capabilities": {{"events", true}}})
	if err != nil {
		return err
	}
	if err := m.execute("getfd", map[string]string{"fdname": "state"}, file); err != nil {
		return err
	}
	if err := m.execute(command, map[string]string{"uri": "fd:state"}); err != nil {
		return err
	}
	for {
		switch said, err := m.await("MIGRATION"); {
		case err != nil:
			return err
		case said.Data.Status == "completed":
			return nil
		case said.Data.Status == "failed":
			return m.whyFailed()
		}
	}
}

// whyFailed is the reason of a migration that failed, as far as QEMU tells.
func (m *monitor) whyFailed() error {
	answer, err := m.ask("query-migrate", nil)
	if err != nil {
		return err
	}
	var said struct {
		Reason string `json:"error-desc"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return fmt.Errorf("QEMU's monitor: query-migrate: %w", err)
	}
	return errors.New(cmp.Or(said.Reason, "QEMU could not write the machine's state"))
}

// proceed has a stopped machine go on.
func (m *monitor) proceed() error { return m.execute("cont", nil) }

func (m *monitor) close() { m.conn.Close() }
