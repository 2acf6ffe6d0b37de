package catalogue

import (
	_ "embed"
	"strings"
)

//go:embed configs/server.py
var serverPy string

// A transport of Python's asyncio ends by close() alone, unless the program calls
// write_eof(), which is shutdown() (Lib/asyncio/selector_events.py).
func asyncio() []Server {
	server := func(name, request string, ends Ending, statements ...string) Server {
		return Server{
			Name:    "asyncio/" + name,
			Package: "python3.[0-9]*[0-9]",
			Files:   map[string]string{"server.py": strings.ReplaceAll(serverPy, "{end}", strings.Join(statements, "\n    "))},
			Args:    []string{"/usr/bin/python3", "-I", "{dir}/server.py"},
			Brings:  []string{"/usr/lib/python3.[0-9]*"},
			Listen:  listen,
			Request: request,
			Answer:  found,
			Ends:    ends,
		}
	}
	return []Server{
		server("close", get, Close, "writer.close()"),
		server("pipelined", pipelined, Close, "writer.close()"),
		server("write-eof", get, ShutdownWrite, "writer.write_eof()", "await reader.read()", "writer.close()"),
		server("write-eof-and-close", get, ShutdownClose, "writer.write_eof()", "writer.close()"),
		server("read-on", kept, Second, "await reader.read()", "writer.close()"),
	}
}
