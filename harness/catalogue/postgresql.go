package catalogue

import (
	_ "embed"
	"encoding/binary"
)

//go:embed configs/postgresql.sh
var postgresqlStart string

// PostgreSQL has a process for each session, whose end closes the connection.
func postgresql() []Server {
	const ( // Terminate, and AuthenticationOk
		terminate = "X\x00\x00\x00\x04"
		ok        = "R\x00\x00\x00\x08\x00\x00\x00\x00"
	)
	server := func(name, request string, ends Ending) Server {
		return Server{
			Name:    "postgresql/" + name,
			Package: "postgresql-[0-9]*[0-9]",
			Files:   map[string]string{"start": postgresqlStart},
			Args:    []string{"/bin/sh", "{dir}/start", "/usr/lib/postgresql/*/bin"},
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
		server("terminate", startup()+terminate, Close),
		server("idle", startup(), Second),
		server("idle-session-timeout", startup("idle_session_timeout", "1s"), Close),
	}
}

// startup is a StartupMessage of protocol 3.0, with settings for the session by their names.
func startup(settings ...string) string {
	const protocol = "\x00\x03\x00\x00"
	said := protocol
	for _, text := range append([]string{"user", "postgres", "database", "postgres"}, settings...) {
		said += text + "\x00"
	}
	said += "\x00"
	return string(binary.BigEndian.AppendUint32(nil, uint32(4+len(said)))) + said
}
