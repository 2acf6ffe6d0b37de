package catalogue

// Redis ends by close() alone (src/networking.c, unlinkClient). Its timeout is up
// one to two seconds after the last command.
func redis() []Server {
	const ping, quit = "*1\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nQUIT\r\n"
	server := func(name, request, answer string, ends Ending, options ...string) Server {
		return Server{
			Name:    "redis/" + name,
			Package: "redis-tools",
			Args: append([]string{
				"/usr/bin/redis-server", "--port", "8080", "--bind", "0.0.0.0", "--protected-mode", "no",
				"--dir", "{dir}", "--save", "", "--databases", "1",
			}, options...),
			// Redis 8 does not start with a locale of which there are no data.
			Env:     []string{"LC_ALL=C"},
			Listen:  listen,
			Request: request,
			Answer:  answer,
			Ends:    ends,
		}
	}
	return []Server{
		server("quit", quit, "+OK\r\n", Close),
		server("pipelined", quit+ping, "+OK\r\n", Close),
		server("idle", ping, "+PONG\r\n", Second),
		server("timeout", ping, "+PONG\r\n", Close, "--timeout", "1"),
	}
}
