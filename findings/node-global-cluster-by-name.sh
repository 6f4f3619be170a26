#!/usr/bin/env bash
# @zilliz/milvus2-sdk-node 3.0.6 (npm), seen on 2026-11-29 with Node 20.20.2
#
# The SDK takes every address that holds the words "global-cluster", anywhere in it, for
# the endpoint of a global cluster: it asks it for a topology document over HTTPS before
# it connects. So a plain Milvus whose host or release is called that way cannot be
# connected to without the option `isGlobal: false`.
#
# Output:
#   milvus:19530: false
#   global-cluster-0.milvus.svc:19530: true
#   my-global-clusters.example:19530: true
#   global-cluster-0.milvus.svc:19530 with isGlobal: false: false
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent @zilliz/milvus2-sdk-node@3.0.6 >/dev/null 2>&1
cat >check.cjs <<'JS'
const { MilvusClient } = require("@zilliz/milvus2-sdk-node");
const say = (address, more, text) => {
  const client = new MilvusClient({ address, ...more, __SKIP_CONNECT__: true });
  console.log(`${address}${text}: ${client.isGlobal}`);
};
say("milvus:19530", {}, "");
say("global-cluster-0.milvus.svc:19530", {}, "");
say("my-global-clusters.example:19530", {}, "");
say("global-cluster-0.milvus.svc:19530", { isGlobal: false }, " with isGlobal: false");
process.exit(0);
JS
node check.cjs >said
cat said
diff - said <<'OUT'
milvus:19530: false
global-cluster-0.milvus.svc:19530: true
my-global-clusters.example:19530: true
global-cluster-0.milvus.svc:19530 with isGlobal: false: false
OUT
