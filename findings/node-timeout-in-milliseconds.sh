#!/usr/bin/env bash
# @zilliz/milvus2-sdk-node 3.0.6 (npm), seen on 2026-11-29 with Node 20.20.2
#
# The option `timeout` takes text with a unit ("30s", "1m"). Only the last letter is
# the unit and the number ends at the first letter, so that "500ms" is 500 seconds,
# "1.5s" is one second and "1m30s" is one second. Nothing is refused.
#
# Output:
#   30s: 30000 ms
#   500ms: 500000 ms
#   1.5s: 1000 ms
#   1m30s: 1000 ms
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent @zilliz/milvus2-sdk-node@3.0.6 >/dev/null 2>&1
cat >check.cjs <<'JS'
const { MilvusClient } = require("@zilliz/milvus2-sdk-node");
for (const timeout of ["30s", "500ms", "1.5s", "1m30s"]) {
  const client = new MilvusClient({ address: "127.0.0.1:19530", timeout, __SKIP_CONNECT__: true });
  console.log(`${timeout}: ${client.timeout} ms`);
}
process.exit(0);
JS
node check.cjs >said
cat said
diff - said <<'OUT'
30s: 30000 ms
500ms: 500000 ms
1.5s: 1000 ms
1m30s: 1000 ms
OUT
