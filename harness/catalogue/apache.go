package catalogue

import _ "embed"

//go:embed configs/httpd.conf
var httpdConf string

// Apache ends as ap_start_lingering_close has it (server/connection.c): by
// shutdown(), whatever the request, and reads on for 30 s at most
// (MAX_SECS_TO_LINGER). Its answer is an error's text, for which it needs no
// document.
func apache() []Server {
	server := func(name, directive, request string, ends Ending) Server {
		return Server{
			Name:    "apache/" + name,
			Package: "apache2-bin",
			Files:   map[string]string{"httpd.conf": httpdConf + directive + "\n"},
			Args:    []string{"/usr/sbin/apache2", "-DFOREGROUND", "-d", "{dir}", "-f", "{dir}/httpd.conf"},
			Brings: []string{
				"/usr/lib/apache2/modules/mod_authz_core.so", "/usr/lib/apache2/modules/mod_mpm_event.so",
				// glibc's pthread_exit loads it.
				"/usr/lib/*-linux-gnu/libgcc_s.so.1",
			},
			Listen:  listen,
			Request: request,
			Answer:  notFound,
			Ends:    ends,
		}
	}
	return []Server{
		server("close", "KeepAlive On", get, ShutdownWrite),
		server("pipelined", "KeepAlive On", pipelined, ShutdownWrite),
		server("body", "KeepAlive On", post, ShutdownWrite),
		server("keep-alive-off", "KeepAlive Off", kept, ShutdownWrite),
		server("keep-alive", "KeepAliveTimeout 75", kept, Second),
		server("keep-alive-timeout", "KeepAliveTimeout 1", kept, ShutdownWrite),
	}
}
