// Drives a pair of clusters, primary and standby, with Milvus' own Node SDK.
// Prints one line for each step and ends with a failure at the first surprise.
import assert from "node:assert/strict";
import { DataType, MilvusClient } from "@zilliz/milvus2-sdk-node";

const [primaryAddress, standbyAddress, configuration] = process.argv.slice(2);
const token = "root:Milvus";

async function connect(address) {
  const client = new MilvusClient({ address, token, maxRetries: 0 });
  await client.connectPromise;
  return client;
}

function done(status, what) {
  assert.equal(status.error_code, "Success", `${what}: ${status.reason}`);
  console.log(`ok ${what}`);
}

const refusal = async (call) => {
  try {
    const r = await call();
    return (r.status ?? r).reason;
  } catch (e) {
    return String(e.reason ?? e.message);
  }
};

const primary = await connect(primaryAddress);
const standby = await connect(standbyAddress);

done(await primary.createCollection({
  collection_name: "from_node",
  fields: [
    { name: "id", data_type: DataType.Int64, is_primary_key: true },
    { name: "title", data_type: DataType.VarChar, max_length: 64 },
    { name: "vector", data_type: DataType.FloatVector, dim: 4 },
  ],
  shards_num: 2,
}), "create");
done(await primary.createIndex({ collection_name: "from_node", field_name: "vector", index_type: "FLAT", metric_type: "L2" }), "index");
done(await primary.loadCollectionSync({ collection_name: "from_node" }), "load");
const inserted = await primary.insert({
  collection_name: "from_node",
  data: [1, 2, 3].map((id) => ({ id, title: `book ${id}`, vector: [id, 0, 0, 0] })),
});
done(inserted.status, "insert");
const rows = await primary.query({ collection_name: "from_node", filter: "id in [2, 3]", output_fields: ["id", "title"] });
done(rows.status, "query");
assert.deepEqual(rows.data.map((r) => r.title).sort(), ["book 2", "book 3"]);
const count = await primary.count({ collection_name: "from_node" });
assert.equal(Number(count.data), 3);
const nearest = await primary.search({ collection_name: "from_node", data: [3, 0, 0, 0], limit: 1, output_fields: ["title"] });
done(nearest.status, "search");
assert.equal(nearest.results[0].title, "book 3");

const stored = await primary.getReplicateConfiguration();
done(stored.status, "read the replicate configuration");
assert.deepEqual(stored.configuration.clusters.map((c) => c.cluster_id), ["a", "b"]);
assert.equal(stored.configuration.clusters[0].connection_param.token, "");
done(await primary.updateReplicateConfiguration(JSON.parse(configuration)), "update the replicate configuration");

const ddl = await refusal(() => standby.createCollection({
  collection_name: "refused",
  fields: [
    { name: "id", data_type: DataType.Int64, is_primary_key: true },
    { name: "vector", data_type: DataType.FloatVector, dim: 4 },
  ],
}));
assert.match(ddl, /cluster is not primary, cannot do any DDL\/DCL/);
console.log("ok refused: create on the standby");
let seen = 0;
for (let i = 0; i < 200 && seen !== 3; i++) {
  const r = await standby.query({ collection_name: "from_node", filter: "id > 0", output_fields: ["id"] }).catch(() => ({ data: [] }));
  seen = r.data.length;
}
assert.equal(seen, 3);
console.log("ok query on the standby");
const dml = await refusal(() => standby.insert({
  collection_name: "from_node",
  data: [4, 5].map((id) => ({ id, title: "late", vector: [0, 0, 0, 0] })),
}));
assert.match(dml, /STREAMING_CODE_REPLICATE_VIOLATION/);
console.log("ok refused: insert on the standby");
await primary.closeConnection();
await standby.closeConnection();
