package catalogue

import (
	_ "embed"
	"strings"
)

//go:embed configs/nginx.conf
var nginxConf string

// nginx ends as ngx_http_finalize_connection has it (src/http/ngx_http_request.c):
// by shutdown() where lingering_close is always, or where it is on, as it is by
// default, and there was or may be more to read than the request's header; by
// close() elsewhere. A body that the answer does not depend on is read and
// thrown away before that.
func nginx() []Server {
	server := func(name, directive, request, answer string, ends Ending) Server {
		return Server{
			Name:    "nginx/" + name,
			Package: "nginx",
			Files:   map[string]string{"nginx.conf": strings.ReplaceAll(nginxConf, "{directive}", directive)},
			Args:    []string{"/usr/sbin/nginx", "-e", "stderr", "-p", "{dir}", "-c", "{dir}/nginx.conf"},
			Listen:  listen,
			Request: request,
			Answer:  answer,
			Ends:    ends,
		}
	}
	return []Server{
		server("lingering-close-off", "lingering_close off;", get, found, Close),
		server("lingering-close-on", "lingering_close on;", get, found, Close),
		server("lingering-close-always", "lingering_close always;", get, found, ShutdownWrite),
		server("pipelined-lingering-close-off", "lingering_close off;", pipelined, found, Reset),
		server("pipelined-lingering-close-on", "lingering_close on;", pipelined, found, ShutdownWrite),
		server("body-lingering-close-off", "lingering_close off;", post, found, Close),
		server("body-lingering-close-on", "lingering_close on;", post, found, ShutdownWrite),
		server("body-too-large", "client_max_body_size 1k;", post, tooLarge, ShutdownWrite),
		server("keep-alive", "keepalive_timeout 75s;", kept, found, Second),
		server("keep-alive-timeout", "keepalive_timeout 1s;", kept, found, Close),
		server("keep-alive-off", "keepalive_timeout 0;", kept, found, Close),
	}
}
