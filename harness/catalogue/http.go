package catalogue

import "strings"

// Requests of HTTP/1.1 (RFC 9112), each whole and in one segment.
const (
	// get asks for the end of the connection, kept for another request's time.
	get  = "GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n"
	kept = "GET / HTTP/1.1\r\nHost: server\r\n\r\n"

	found    = "HTTP/1.1 200 "
	notFound = "HTTP/1.1 404 "
	tooLarge = "HTTP/1.1 413 "
)

// more is more than the 1 KiB that nginx reads at once (client_header_buffer_size).
var more = strings.Repeat("m", 1100)

var (
	// pipelined is get with a second request right behind, which nobody will
	// answer.
	pipelined = get + "GET /second HTTP/1.1\r\nHost: server\r\nCookie: " + more + "\r\n\r\n"
	// post has a body that no answer depends on.
	post = "POST / HTTP/1.1\r\nHost: server\r\nConnection: close\r\nContent-Length: 1100\r\n\r\n" + more
)
