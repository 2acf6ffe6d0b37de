package catalogue

// lighttpd ends as connection_handle_shutdown has it (src/connections.c): by
// shutdown(), and it reads on for 5 s (HTTP_LINGER_TIMEOUT).
func lighttpd() []Server {
	const conf = `server.document-root = "{dir}"
server.bind = "0.0.0.0"
server.port = 8080
server.modules = ()
index-file.names = ("answer.txt")
`
	server := func(name, directive, request string, ends Ending) Server {
		return Server{
			Name:    "lighttpd/" + name,
			Package: "lighttpd",
			Files:   map[string]string{"lighttpd.conf": conf + directive, "answer.txt": "answer\n"},
			Args:    []string{"/usr/sbin/lighttpd", "-D", "-f", "{dir}/lighttpd.conf"},
			Listen:  listen,
			Request: request,
			Answer:  found,
			Ends:    ends,
		}
	}
	return []Server{
		server("close", "", get, ShutdownWrite),
		server("pipelined", "", pipelined, ShutdownWrite),
		server("keep-alive", "server.max-keep-alive-idle = 75\n", kept, Second),
		server("keep-alive-timeout", "server.max-keep-alive-idle = 1\n", kept, ShutdownWrite),
		server("keep-alive-off", "server.max-keep-alive-requests = 0\n", kept, ShutdownWrite),
	}
}
