package servers

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"

	"github.com/finwait/finwait/harness/catalogue"
)

// goServer names, in the environment, which of Go's servers this binary is to be.
const goServer = "FINWAIT_GO_SERVER"

// goListen is where Go's servers listen.
var goListen = netip.MustParseAddrPort("0.0.0.0:8080")

// goServers are programs of package net/http.
var goServers = map[string]func(){
	// The server closes by itself where the client wants it to (net/http/server.go, serve).
	"close": func() { serveHTTP(func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }) },
	// A handler that takes the connection over can end it by CloseWrite, as it should where
	// a client may still be sending.
	"close-write": func() {
		serveHTTP(func(w http.ResponseWriter) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		})
	},
}

func serveHTTP(answer func(http.ResponseWriter)) {
	err := http.ListenAndServe(goListen.String(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// goCatalogue are they as the catalogue would have them, but for this file's path.
var goCatalogue = []catalogue.Server{
	goEntry("close", catalogue.Close),
	goEntry("close-write", catalogue.ShutdownWrite),
}

func goEntry(name string, ends catalogue.Ending) catalogue.Server {
	return catalogue.Server{
		Name: "go/" + name, Args: []string{self()}, Env: []string{goServer + "=" + name}, Listen: goListen,
		Request: "GET / HTTP/1.1\r\nHost: finwait\r\nConnection: close\r\n\r\n", Answer: "HTTP/1.1 204 ", Ends: ends,
	}
}

// self is the path of this binary.
func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}
