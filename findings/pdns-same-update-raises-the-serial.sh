#!/usr/bin/env bash
# pdns-server and pdns-backend-sqlite3 4.7.3-2 (Debian 12), seen on 2026-11-30; the updates
# are sent with github.com/miekg/dns v1.1.73 (Go module proxy)
#
# A dynamic update that deletes a set of records and adds the very same set changes nothing,
# and PowerDNS raises the serial of the zone each time, so that every secondary fetches the
# zone. BIND 9.18.49 and Knot 3.2.6 leave the serial as it is. A wrong secret is answered as
# a key without the right to update is, with REFUSED, but without a signature; BIND and Knot
# say BADSIG.
#
# Output:
#   the same set, once: NOERROR, signed, the serial rises: true
#   the same set, twice: NOERROR, signed, the serial rises: true
#   another secret: REFUSED, not signed, the serial rises: false
#   a key without the right: REFUSED, signed, the serial rises: false
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
		-o Dir::Cache::archives="$dir/debs" pdns-server=4.7.3-2 pdns-backend-sqlite3=4.7.3-2 sqlite3
	for deb in debs/*.deb; do dpkg -x "$deb" root; done
} >log 2>&1 || { cat log; exit 1; }
export LD_LIBRARY_PATH="$dir/root/usr/lib/$(uname -m)-linux-gnu"
secret=$(head -c 32 /dev/urandom | base64)
{
	echo ".read root/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"
	echo "INSERT INTO domains (id, name, type) VALUES (1, 'example', 'NATIVE');"
	echo "INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'TSIG-ALLOW-DNSUPDATE', 'may');"
	echo "INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('may', 'hmac-sha256', '$secret'), ('not', 'hmac-sha256', '$secret');"
	echo "INSERT INTO records (domain_id, name, type, content, ttl, prio, auth) VALUES"
	echo "(1, 'example', 'SOA', 'ns1.example admin.example 1 3600 600 86400 60', 300, 0, 1),"
	echo "(1, 'm.example', 'CNAME', 'a.example', 30, 0, 1);"
} | root/usr/bin/sqlite3 -batch zones.sqlite
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/miekg/dns v1.1.73
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/miekg/dns"
)

func main() {
	address, secret := os.Args[1], os.Args[2]
	for conn, err := net.Dial("tcp", address); ; conn, err = net.Dial("tcp", address) {
		if err == nil {
			_ = conn.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	other := base64.StdEncoding.EncodeToString([]byte("another secret of that key"))
	for _, c := range []struct{ what, key, secret string }{
		{"the same set, once", "may.", secret}, {"the same set, twice", "may.", secret},
		{"another secret", "may.", other}, {"a key without the right", "not.", secret},
	} {
		rr, err := dns.NewRR("m.example. 30 IN CNAME a.example.")
		if err != nil {
			panic(err)
		}
		m := new(dns.Msg).SetUpdate("example.")
		m.RemoveRRset([]dns.RR{rr})
		m.Insert([]dns.RR{rr})
		m.SetTsig(c.key, dns.HmacSHA256, 300, time.Now().Unix())
		before := serial(address)
		client := dns.Client{Net: "tcp", TsigSecret: map[string]string{c.key: c.secret}}
		r, _, err := client.Exchange(m, address)
		if r == nil {
			panic(err)
		}
		signed := "signed"
		if r.IsTsig() == nil {
			signed = "not signed"
		}
		fmt.Printf("%s: %s, %s, the serial rises: %v\n", c.what, dns.RcodeToString[r.Rcode], signed, serial(address) > before)
	}
}

func serial(address string) uint32 {
	client := dns.Client{Net: "tcp"}
	r, _, err := client.Exchange(new(dns.Msg).SetQuestion("example.", dns.TypeSOA), address)
	if err != nil {
		panic(err)
	}
	return r.Answer[0].(*dns.SOA).Serial
}
GO
export GOFLAGS=-mod=mod
{ go get ./... && go build -o updates .; } >log 2>&1 || { cat log; exit 1; }
port=15353
mkdir empty
root/usr/sbin/pdns_server --config-dir=empty --launch=gsqlite3 --module-dir="$(ls -d root/usr/lib/*/pdns)" \
	--gsqlite3-database="$dir/zones.sqlite" --local-address=127.0.0.1 --local-port=$port --socket-dir="$dir" \
	--dnsupdate=yes --daemon=no --guardian=no >log 2>&1 &
server=$!
timeout 60 ./updates 127.0.0.1:$port "$secret" >said 2>>log || { cat log; exit 1; }
cat said
diff - said <<'WANT'
the same set, once: NOERROR, signed, the serial rises: true
the same set, twice: NOERROR, signed, the serial rises: true
another secret: REFUSED, not signed, the serial rises: false
a key without the right: REFUSED, signed, the serial rises: false
WANT
