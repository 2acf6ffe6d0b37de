package catalogue

import (
	_ "embed"
	"strings"
)

//go:embed configs/server.js
var serverJS string

// Node's http ends a connection that a request asks to end with destroySoon
// (lib/net.js): shutdown(), and close() once that is done. One that has been
// idle is destroyed, by close() alone, up to 1 s later than it says.
func node() []Server {
	server := func(name, keepAlive, request string, ends Ending) Server {
		return Server{
			Name:    "node/" + name,
			Package: "nodejs",
			Files:   map[string]string{"server.js": strings.ReplaceAll(serverJS, "{keepAlive}", keepAlive)},
			Args:    []string{"/usr/bin/node", "{dir}/server.js"},
			Brings:  []string{"/usr/share/nodejs"},
			Listen:  listen,
			Request: request,
			Answer:  found,
			Ends:    ends,
		}
	}
	return []Server{
		server("close", "75000", get, ShutdownClose),
		server("keep-alive", "75000", kept, Second),
		server("keep-alive-timeout", "500", kept, Close),
	}
}
