package catalogue

import _ "embed"

//go:embed configs/postgresql.sh
var postgresqlStart string

// PostgreSQL has a process for each session, whose end closes the connection.
func postgresql() []Server {
	const (
		// StartupMessage of protocol 3.0 with user and database, Terminate, and
		// AuthenticationOk.
		startup   = "\x00\x00\x00\x29\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"
		terminate = "X\x00\x00\x00\x04"
		ok        = "R\x00\x00\x00\x08\x00\x00\x00\x00"
	)
	server := func(name, option, request string, ends Ending) Server {
		return Server{
			Name:    "postgresql/" + name,
			Package: "postgresql-[0-9]*[0-9]",
			Files:   map[string]string{"start": postgresqlStart},
			Args:    []string{"/bin/sh", "{dir}/start", "/usr/lib/postgresql/*/bin", option},
			Nobody:  true,
			Brings: []string{
				"/usr/lib/postgresql/*/bin/initdb", "/usr/lib/postgresql/*/bin/postgres",
				"/usr/lib/postgresql/*/lib/dict_snowball.so", "/usr/lib/postgresql/*/lib/plpgsql.so",
				"/usr/share/postgresql/*",
			},
			Listen:  listen,
			Request: request,
			Answer:  ok,
			Ends:    ends,
		}
	}
	return []Server{
		server("terminate", "idle_session_timeout=0", startup+terminate, Close),
		server("idle", "idle_session_timeout=0", startup, Second),
		server("idle-session-timeout", "idle_session_timeout=1s", startup, Close),
	}
}
