#!/usr/bin/env bash
# knot 3.2.6-1 (Debian 12), seen on 2026-11-30; the updates are sent with
# github.com/miekg/dns v1.1.73 (Go module proxy)
#
# An update that deletes a CNAME and adds another at the same name (RFC 2136, section 2.5) moves
# the name in a zone without DNSSEC. In a zone that Knot signs by itself (dnssec-signing: on) the
# same update is answered with NOERROR too, and the name has no record afterwards. Sent once
# more, it adds the CNAME. An update that only adds the CNAME replaces the old one in both.
#
# Output:
#   plain, deleted and added: NOERROR, then b.example.
#   plain, only added: NOERROR, then c.example.
#   signed, deleted and added: NOERROR, then nothing
#   signed, deleted and added once more: NOERROR, then b.example.
#   signed, only added: NOERROR, then c.example.
set -euo pipefail
dir=$(mktemp -d)
server=""
stop() {
	[ -z "$server" ] || kill "$server" || true
	rm -rf "$dir"
}
trap stop EXIT
cd "$dir"
mkdir -p debs/partial root
{
	apt-get install --download-only --reinstall -y --no-install-recommends -o Debug::NoLocking=1 \
		-o Dir::Cache::archives="$dir/debs" knot=3.2.6-1 libknot13=3.2.6-1 libdnssec9=3.2.6-1 libzscanner4=3.2.6-1
	for deb in debs/*.deb; do dpkg -x "$deb" root; done
} >log 2>&1 || { cat log; exit 1; }
LD_LIBRARY_PATH=$(find "$dir/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export LD_LIBRARY_PATH
for zone in plain signed; do
	cat >$zone.zone <<ZONE
$zone. 300 SOA ns1.$zone. admin.$zone. 1 3600 600 86400 60
$zone. 300 NS ns1.$zone.
ns1.$zone. 300 A 127.0.0.1
m.$zone. 30 CNAME a.example.
ZONE
done
port=15355
cat >knot.conf <<CONF
server:
    listen: 127.0.0.1@$port
    rundir: "$dir"
    background-workers: 1
    udp-workers: 1
    tcp-workers: 1
database:
    storage: "$dir"
acl:
  - id: may
    address: 127.0.0.1
    action: update
template:
  - id: default
    storage: "$dir"
    acl: may
zone:
  - domain: plain
    file: plain.zone
  - domain: signed
    file: signed.zone
    dnssec-signing: on
CONF
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/miekg/dns v1.1.73
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/miekg/dns"
)

var client = dns.Client{Net: "tcp"}

func main() {
	address := os.Args[1]
	for _, zone := range []string{"plain.", "signed."} { // until both are loaded
		for {
			r, _, err := client.Exchange(new(dns.Msg).SetQuestion(zone, dns.TypeSOA), address)
			if err == nil && r.Rcode == dns.RcodeSuccess && len(r.Answer) > 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	for _, c := range []struct{ zone, what, to string }{
		{"plain", "deleted and added", "b.example."}, {"plain", "only added", "c.example."},
		{"signed", "deleted and added", "b.example."}, {"signed", "deleted and added once more", "b.example."},
		{"signed", "only added", "c.example."},
	} {
		name := "m." + c.zone + "."
		rr, err := dns.NewRR(name + " 30 IN CNAME " + c.to)
		if err != nil {
			panic(err)
		}
		m := new(dns.Msg).SetUpdate(c.zone + ".")
		if c.what != "only added" {
			m.RemoveRRset([]dns.RR{rr})
		}
		m.Insert([]dns.RR{rr})
		r, _, err := client.Exchange(m, address)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s, %s: %s, then %s\n", c.zone, c.what, dns.RcodeToString[r.Rcode], target(address, name))
	}
}

// target is where the CNAME of a name leads.
func target(address, name string) string {
	r, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeCNAME), address)
	if err != nil {
		panic(err)
	}
	for _, rr := range r.Answer {
		if c, ok := rr.(*dns.CNAME); ok {
			return c.Target
		}
	}
	return "nothing"
}
GO
export GOFLAGS=-mod=mod
{ go get ./... && go build -o updates .; } >log 2>&1 || { cat log; exit 1; }
root/usr/sbin/knotd -c knot.conf >log 2>&1 &
server=$!
timeout 60 ./updates 127.0.0.1:$port >said 2>>log || { cat said log; exit 1; }
cat said
diff - said <<'WANT'
plain, deleted and added: NOERROR, then b.example.
plain, only added: NOERROR, then c.example.
signed, deleted and added: NOERROR, then nothing
signed, deleted and added once more: NOERROR, then b.example.
signed, only added: NOERROR, then c.example.
WANT
