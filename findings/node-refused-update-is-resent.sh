#!/usr/bin/env bash
# @zilliz/milvus2-sdk-node 3.0.6 (npm), seen on 2026-11-29 with Node 20.20.2
#
# One call of updateReplicateConfiguration is sent four times, within a fifth of a
# second, when the server refuses it, not only when it cannot be reached:
# FAILED_PRECONDITION, ABORTED and NOT_FOUND are repeated as UNAVAILABLE is. Nothing is
# logged at the default level, and the request is one that changes who is primary.
# INVALID_ARGUMENT and PERMISSION_DENIED are sent once.
#
# Output:
#   FAILED_PRECONDITION: sent 4 times, rejects with code 9
#   ABORTED: sent 4 times, rejects with code 10
#   NOT_FOUND: sent 4 times, rejects with code 5
#   UNAVAILABLE: sent 4 times, rejects with code 14
#   INVALID_ARGUMENT: sent 1 times, rejects with code 3
#   PERMISSION_DENIED: sent 1 times, rejects with code 7
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent @zilliz/milvus2-sdk-node@3.0.6 >/dev/null 2>&1
cat >check.cjs <<'JS'
const http2 = require("node:http2");
const { MilvusClient } = require("@zilliz/milvus2-sdk-node");
const { status } = require("@grpc/grpc-js");

let code = 0;
let sent = 0;
const server = http2.createServer();
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  const head = { ":status": 200, "content-type": "application/grpc" };
  if (headers[":path"].endsWith("/UpdateReplicateConfiguration")) {
    sent++;
    return stream.respond({ ...head, "grpc-status": String(code), "grpc-message": "no" }, { endStream: true });
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.alloc(5));
});
server.listen(0, "127.0.0.1", async () => {
  const client = new MilvusClient({ address: `127.0.0.1:${server.address().port}` });
  await client.connectPromise;
  const cluster = { cluster_id: "b", connection_param: { uri: "http://b:19530", token: "" }, pchannels: ["b-dml_0"] };
  for (const name of ["FAILED_PRECONDITION", "ABORTED", "NOT_FOUND", "UNAVAILABLE", "INVALID_ARGUMENT", "PERMISSION_DENIED"]) {
    [code, sent] = [status[name], 0];
    const end = await client.updateReplicateConfiguration({ clusters: [cluster] }).then(() => "resolves", (e) => `rejects with code ${e.code}`);
    console.log(`${name}: sent ${sent} times, ${end}`);
  }
  process.exit(0);
});
JS
node check.cjs >said
cat said
diff - said <<'OUT'
FAILED_PRECONDITION: sent 4 times, rejects with code 9
ABORTED: sent 4 times, rejects with code 10
NOT_FOUND: sent 4 times, rejects with code 5
UNAVAILABLE: sent 4 times, rejects with code 14
INVALID_ARGUMENT: sent 1 times, rejects with code 3
PERMISSION_DENIED: sent 1 times, rejects with code 7
OUT
