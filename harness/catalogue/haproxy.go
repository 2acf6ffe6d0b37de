package catalogue

import (
	_ "embed"
	"strings"
)

//go:embed configs/haproxy.cfg
var haproxyCfg string

// HAProxy ends by shutdown() (include/haproxy/connection.h, conn_sock_shutw) and,
// as it then has done with the stream, by close() at once.
func haproxy() []Server {
	const answer = `http-request return status 200 content-type text/plain string "answer"`
	server := func(name, request string, ends Ending, directives ...string) Server {
		return Server{
			Name:    "haproxy/" + name,
			Package: "haproxy",
			Files: map[string]string{
				"haproxy.cfg": strings.ReplaceAll(haproxyCfg, "{directive}", strings.Join(directives, "\n\t")),
			},
			Args:    []string{"/usr/sbin/haproxy", "-db", "-f", "{dir}/haproxy.cfg"},
			Listen:  listen,
			Request: request,
			Answer:  found,
			Ends:    ends,
		}
	}
	return []Server{
		server("close", get, ShutdownClose, answer),
		server("pipelined", pipelined, ShutdownClose, answer),
		server("forwarded", get, ShutdownClose, "option http-server-close", "default_backend behind",
			"", "backend behind", "server behind 127.0.0.1:8081", "", "frontend behind", "bind 127.0.0.1:8081", answer),
		server("httpclose", kept, ShutdownClose, "option httpclose", answer),
		server("nolinger", get, ShutdownReset, "option nolinger", answer),
		server("keep-alive", kept, Second, "timeout http-keep-alive 75s", answer),
		server("keep-alive-timeout", kept, ShutdownClose, "timeout http-keep-alive 1s", answer),
	}
}
