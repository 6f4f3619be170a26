#!/usr/bin/env bash
# @zilliz/milvus2-sdk-node 3.0.6 (npm), seen on 2026-11-29 with Node 20.20.2
#
# Of an address with another scheme than http or https in small letters the SDK takes
# the "://" away and keeps the letters: the scheme becomes a part of the host's name, and
# the client looks for a host that does not exist. A path stays on the address as well.
#
# Output:
#   http://milvus:19530 → milvus:19530
#   tcp://milvus:19530 → tcpmilvus:19530
#   grpc://milvus:19530 → grpcmilvus:19530
#   http://milvus:19530/books → milvus:19530/books
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent @zilliz/milvus2-sdk-node@3.0.6 >/dev/null 2>&1
cat >check.cjs <<'JS'
const { formatAddress } = require("@zilliz/milvus2-sdk-node");
for (const a of ["http://milvus:19530", "tcp://milvus:19530", "grpc://milvus:19530", "http://milvus:19530/books"]) {
  console.log(`${a} → ${formatAddress(a)}`);
}
JS
node check.cjs >said
cat said
diff - said <<'OUT'
http://milvus:19530 → milvus:19530
tcp://milvus:19530 → tcpmilvus:19530
grpc://milvus:19530 → grpcmilvus:19530
http://milvus:19530/books → milvus:19530/books
OUT
