#!/usr/bin/env bash
# github.com/miekg/dns v1.1.73 (Go module proxy), seen on 2026-11-30 with Go 1.26
#
# IsDomainName takes every text of fitting length: a blank and a comment sign
# are good, and so is no text at all once CanonicalName made the root of it. A record that
# is put together from such a name and parsed by NewRR ends at the comment sign, without an
# error.
#
# Output:
#   "a b" is a domain name: true
#   "a;b.example" is a domain name: true
#   "" becomes ".", which is a domain name: true
#   "m.example. 30 IN CNAME a;b.example" parses to the target "a."
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/miekg/dns v1.1.73
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/miekg/dns"
)

func main() {
	for _, name := range []string{"a b", "a;b.example"} {
		_, ok := dns.IsDomainName(name)
		fmt.Printf("%q is a domain name: %v\n", name, ok)
	}
	root := dns.CanonicalName("")
	_, ok := dns.IsDomainName(root)
	fmt.Printf("%q becomes %q, which is a domain name: %v\n", "", root, ok)
	text := "m.example. 30 IN CNAME a;b.example"
	rr, err := dns.NewRR(text)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q parses to the target %q\n", text, rr.(*dns.CNAME).Target)
}
GO
export GOFLAGS=-mod=mod
go get ./... >log 2>&1 || { cat log; exit 1; }
go run . >said 2>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
"a b" is a domain name: true
"a;b.example" is a domain name: true
"" becomes ".", which is a domain name: true
"m.example. 30 IN CNAME a;b.example" parses to the target "a."
WANT
