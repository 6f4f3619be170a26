// Promotes clusters by force with Milvus' own Node SDK as it comes, with its
// retries: a list of [name, address, configuration]. What the SDK resolves with
// counts as an answer only if it holds a status: for a method that the server does
// not know it resolves with {}. Prints for each cluster what the promotion was
// answered with, and what is read back.
import { MilvusClient } from "@zilliz/milvus2-sdk-node";

const said = async (call) => {
  try {
    const r = await call();
    const status = r.status ?? r;
    if (status.error_code === undefined) return ["no answer", r];
    return [status.error_code === "Success" ? "success" : `refused: ${status.reason}`, r];
  } catch (e) {
    return [`error ${e.code}: ${e.details}`, {}];
  }
};

await Promise.all(JSON.parse(process.argv[2]).map(async ([name, address, configuration]) => {
  const client = new MilvusClient({ address, token: "root:Milvus", timeout: 8000 });
  await client.connectPromise;
  const [promoted] = await said(() => client.updateReplicateConfiguration({ ...JSON.parse(configuration), force_promote: true }));
  const [answer, read] = await said(() => client.getReplicateConfiguration());
  const names = (read.configuration?.clusters ?? []).map((c) => c.cluster_id).join(",");
  console.log(`${name}: promote: ${promoted}; read: ${answer === "success" ? `{${names}}` : answer}`);
  await client.closeConnection();
}));
