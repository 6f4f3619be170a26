#!/usr/bin/env bash
# go.etcd.io/etcd/client/v3 v3.6.16 and v3.7.3 (Go module proxy), seen on 2026-11-30
# with Go 1.26, linux/amd64
#
# A program that imports etcd's client 3.6, and calls nothing of it, builds the
# descriptors of etcd's messages before main begins, since its API registers them with
# the old protobuf runtime: more than 0.4 MB for the package etcdserverpb alone, at each
# start of a command that never speaks to an etcd. Client 3.7 takes about a quarter.
#
# Output:
#   3.6.16: etcdserverpb allocates more than 400 kB at start: true
#   3.7.3: less than a third of that: true
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod
allocated() {
	mkdir "$1" && cd "$1"
	printf 'module finding\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/client/v3 v%s\n' "$1" >go.mod
	printf 'package main\n\nimport _ "go.etcd.io/etcd/client/v3"\n\nfunc main() {}\n' >main.go
	go get ./... >log 2>&1 && go build -o program . >log 2>&1 || { cat log >&2; exit 1; }
	GODEBUG=inittrace=1 ./program 2>&1 | awk '$2 == "go.etcd.io/etcd/api/v3/etcdserverpb" { print $8 }'
}
old=$(allocated 3.6.16)
new=$(allocated 3.7.3)
echo "in bytes: $old, $new" >&2
is() { if (($1)); then echo true; else echo false; fi; }
{
	echo "3.6.16: etcdserverpb allocates more than 400 kB at start: $(is "$old > 400000")"
	echo "3.7.3: less than a third of that: $(is "$new * 3 < $old")"
} >said
cat said
diff - said <<'WANT'
3.6.16: etcdserverpb allocates more than 400 kB at start: true
3.7.3: less than a third of that: true
WANT
