#!/usr/bin/env bash
# @zilliz/milvus2-sdk-node 3.0.6 (npm), seen on 2026-11-29 with Node 20.20.2
#
# A server that does not know a method answers gRPC UNIMPLEMENTED. The SDK does not
# reject then: updateReplicateConfiguration and getReplicateConfiguration resolve with
# an empty object, without a status. A caller that takes "did not throw" for success
# believes that an old server did what it was told.
#
# Output:
#   updateReplicateConfiguration resolves with {}
#   getReplicateConfiguration resolves with {}
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent @zilliz/milvus2-sdk-node@3.0.6 >/dev/null 2>&1
cat >check.cjs <<'JS'
const http2 = require("node:http2");
const { MilvusClient } = require("@zilliz/milvus2-sdk-node");

// Connect succeeds with an empty message; every other method is unknown.
const server = http2.createServer();
server.on("stream", (stream, headers) => {
  const head = { ":status": 200, "content-type": "application/grpc" };
  if (!headers[":path"].endsWith("/Connect")) {
    return stream.respond({ ...head, "grpc-status": "12", "grpc-message": "unknown method" }, { endStream: true });
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.alloc(5));
});
server.listen(0, "127.0.0.1", async () => {
  const client = new MilvusClient({ address: `127.0.0.1:${server.address().port}` });
  await client.connectPromise;
  const cluster = { cluster_id: "b", connection_param: { uri: "http://b:19530", token: "" }, pchannels: ["b-dml_0"] };
  const say = (name, call) => call.then((r) => console.log(`${name} resolves with ${JSON.stringify(r)}`), (e) => console.log(`${name} rejects: ${e}`));
  await say("updateReplicateConfiguration", client.updateReplicateConfiguration({ clusters: [cluster] }));
  await say("getReplicateConfiguration", client.getReplicateConfiguration());
  process.exit(0);
});
JS
node check.cjs >said
cat said
diff - said <<'OUT'
updateReplicateConfiguration resolves with {}
getReplicateConfiguration resolves with {}
OUT
