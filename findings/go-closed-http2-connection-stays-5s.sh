#!/usr/bin/env bash
# golang.org/x/net v0.61.0 (Go module proxy), seen on 2026-11-30 with Go 1.26.8, whose
# net/http does the same for a ClientConn of HTTP/2
#
# The memory of an HTTP/2 connection that is closed soon after its last request, its
# buffers included, is held for 5 s more. Who asks thousands of servers once each over a
# connection of its own holds all of them at once.
#
# Output:
#   1000 closed connections hold more than 5 MB: true
#   6 s later they hold more than 1 MB: false
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require golang.org/x/net v0.61.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"

	"golang.org/x/net/http2"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	go func() {
		_ = (&http.Server{Protocols: h2c, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}).Serve(l)
	}()
	before := live()
	for range 1000 {
		conn, err := net.Dial("tcp", l.Addr().String())
		check(err)
		c, err := (&http2.Transport{AllowHTTP: true}).NewClientConn(conn)
		check(err)
		r, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String(), http.NoBody)
		check(err)
		answer, err := c.RoundTrip(r)
		check(err)
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		check(c.Close())
	}
	fmt.Println("1000 closed connections hold more than 5 MB:", live()-before > 5<<20)
	time.Sleep(6 * time.Second)
	fmt.Println("6 s later they hold more than 1 MB:", live()-before > 1<<20)
}

func live() int {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
		time.Sleep(100 * time.Millisecond)
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
1000 closed connections hold more than 5 MB: true
6 s later they hold more than 1 MB: false
WANT
